// The view and its parameters, which stand behind the # of the URL: #/jobs?status=failed

import { query } from "./session.js";

export const DEFAULT = "jobs";

export function link(view, parameters = {}) {
  const asked = query(parameters);
  return `#/${view}${asked ? `?${asked}` : ""}`;
}

export function go(view, parameters) {
  location.hash = link(view, parameters);
}

export function here() {
  const [, view, asked] = /^#\/(\w+)(?:\?(.*))?$/.exec(location.hash) ?? [];
  return { view: view ?? DEFAULT, params: new URLSearchParams(asked ?? "") };
}
