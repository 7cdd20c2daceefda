-- Search over titles, abstracts and texts: how texts are folded, what a query means, and the
-- trigger that keeps paper_search. Accents, TeX, hyphens and Greek letters are folded alike in what
-- is searched and in what is searched for, so that `Poincar\'e`, "Poincaré" and "poincare" meet.

CREATE TABLE paper_search (
    arxiv_id text NOT NULL,
    part integer NOT NULL,
    published_at timestamptz NOT NULL,
    words tsvector NOT NULL,
    CONSTRAINT paper_search_pkey PRIMARY KEY (arxiv_id, part),
    CONSTRAINT paper_search_arxiv_id_fkey FOREIGN KEY (arxiv_id)
        REFERENCES paper_texts (arxiv_id) ON DELETE CASCADE
);
-- New rows wait in the index's pending list until maintenance merges them: who stores a text would
-- else merge those of many others now and then, for seconds.
CREATE INDEX paper_search_by_word ON paper_search USING gin (words)
    WITH (fastupdate = on, gin_pending_list_limit = 65536);
-- The planner's statistics read whole vectors: few of them do.
ALTER TABLE paper_search ALTER words SET STATISTICS 20;
COMMENT ON TABLE paper_search IS
    'Words of the texts for in=all, apart so that reading and writing texts stays quick.';
COMMENT ON COLUMN paper_search.arxiv_id IS 'The paper.';
COMMENT ON COLUMN paper_search.part IS
    'Which 80,000 characters of its text have their places here, from 0.';
COMMENT ON COLUMN paper_search.published_at IS 'When version 1 was submitted, as it was then.';
COMMENT ON COLUMN paper_search.words IS
    'Words of title, abstract and text; kept by the trigger of paper_texts.';

CREATE TABLE search_backfill (
    of_table text NOT NULL,
    after_id text NOT NULL,
    rows_done bigint NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CONSTRAINT search_backfill_pkey PRIMARY KEY (of_table)
);
COMMENT ON TABLE search_backfill IS
    'How far rows older than the search have their words; workers go on with it.';
COMMENT ON COLUMN search_backfill.of_table IS 'papers or paper_texts: whose rows.';
COMMENT ON COLUMN search_backfill.after_id IS 'The rows up to this arXiv id are done.';
COMMENT ON COLUMN search_backfill.rows_done IS 'Rows looked at so far.';
COMMENT ON COLUMN search_backfill.started_at IS 'When it began.';
COMMENT ON COLUMN search_backfill.updated_at IS 'When the last step was done.';
COMMENT ON COLUMN search_backfill.finished_at IS 'When all rows were done; null while it goes on.';
INSERT INTO search_backfill (of_table, after_id, rows_done, finished_at) VALUES
    ('papers', '', 0, CASE WHEN EXISTS (SELECT FROM papers) THEN NULL ELSE now() END),
    ('paper_texts', '', 0, CASE WHEN EXISTS (SELECT FROM paper_texts) THEN NULL ELSE now() END);

-- Greek letters become their English names, so that `\alpha`, "α" and "alpha" are one word. By
-- replace(), which passes over 80,000 characters in a few microseconds where there is nothing;
-- most texts are ASCII once their accents are gone.
CREATE FUNCTION search_letters(input text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF octet_length(input) = length(input) THEN
        RETURN input;  -- ASCII
    END IF;
    input := regexp_replace(normalize(input, NFKD), '[\u0300-\u036f]+', '', 'g');
    IF octet_length(input) = length(input) THEN
        RETURN input;
    END IF;
    DECLARE
        plain CONSTANT text[] := '{ø,o,Ø,O,ł,l,Ł,L,đ,d,Đ,D,ħ,h,Ħ,H,ı,i,ȷ,j,ß,ss,æ,ae,Æ,AE,œ,oe,Œ,OE,‘,'',’,'',“,"\"",”,"\"",‐,-,‑,-,‒,-,–,-,—,-,−,-}';
        greek CONSTANT text[] := '{α,alpha,β,beta,γ,gamma,δ,delta,ε,epsilon,ζ,zeta,η,eta,θ,theta,ι,iota,κ,kappa,λ,lambda,μ,mu,ν,nu,ξ,xi,ο,omicron,π,pi,ρ,rho,ς,sigma,σ,sigma,τ,tau,υ,upsilon,φ,phi,χ,chi,ψ,psi,ω,omega,Α,Alpha,Β,Beta,Γ,Gamma,Δ,Delta,Ε,Epsilon,Ζ,Zeta,Η,Eta,Θ,Theta,Ι,Iota,Κ,Kappa,Λ,Lambda,Μ,Mu,Ν,Nu,Ξ,Xi,Ο,Omicron,Π,Pi,Ρ,Rho,Σ,Sigma,Τ,Tau,Υ,Upsilon,Φ,Phi,Χ,Chi,Ψ,Psi,Ω,Omega}';
        pairs CONSTANT text[] := plain || greek;
    BEGIN
        FOR n IN 1..cardinality(pairs) BY 2 LOOP
            input := replace(input, pairs[n], pairs[n + 1]);
        END LOOP;
    END;
    RETURN input;
END $$;
COMMENT ON FUNCTION search_letters(text) IS
    'The text without accents and ligatures, Greek letters by name, plain quotes and hyphens.';

-- TeX as it stands in titles, abstracts and queries: accents, fonts, spaces, sub- and superscripts
-- go, other commands stay as words (`\alpha` is "alpha").
CREATE FUNCTION search_tex(input text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF input ~ '[\\_]' THEN
        input := regexp_replace(input, '\\[''`^"~=.]', '', 'g');
        input := regexp_replace(input, '\\([cvuHkdbrt])(\s+|(?=\{))(?=\{?\\?[A-Za-z])', '', 'g');
        input := regexp_replace(input, '\\(ss|ae|AE|oe|OE|aa|AA|o|O|l|L|i|j)(?![A-Za-z])\s*', '\1', 'g');
        input := regexp_replace(
            input,
            '\\(math[a-z]+|text[a-z]*|emph|rm|bf|it|sl|sc|tt|em|cal|frak|bm|boldsymbol|operatorname'
            '|ensuremath|[hm]box|left|right|bar|hat|tilde|vec|d?dot|overline|underline|wide(?:tilde|hat)'
            '|sqrt|frac|url|big[lr]?|Big[lr]?)(?![A-Za-z])\s*',
            '', 'g'
        );
        input := regexp_replace(input, '\\[^A-Za-z]', ' ', 'g');
        input := regexp_replace(input, '\$(?=_)|_(?=[{\\])', '', 'g');
        input := regexp_replace(input, '(?<![A-Za-z0-9])([A-Za-z0-9])_([A-Za-z](?![A-Za-z0-9])|[0-9])', '\1\2', 'g');
    END IF;
    RETURN input;
END $$;
COMMENT ON FUNCTION search_tex(text) IS 'The text without what in it is TeX''s alone.';

-- By replace() here as well: translate() compares every character.
CREATE FUNCTION search_words(input text) RETURNS tsvector
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN to_tsvector(
    'english'::regconfig,
    replace(replace(replace(replace(replace(replace(replace(replace(replace(
        search_letters(input),
        '-', ' '), '/', ' '), '_', ' '), '~', ' '), '\', ' '), '^', ''), '{', ''), '}', ''), '$', ''
    )
);
COMMENT ON FUNCTION search_words(text) IS 'The words of a text as they are searched: folded, stemmed in English.';

CREATE FUNCTION search_query(input text) RETURNS tsquery
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN websearch_to_tsquery(
    'english'::regconfig,
    regexp_replace(  -- a hyphen is a "not" at the beginning of a word only
        translate(search_letters(search_tex(input)), '/_~\^{}$', '    '),
        '(?<=[^\s"])-+|-+(?=\s|$)', ' ', 'g'
    )
);
COMMENT ON FUNCTION search_query(text) IS
    'What a search as on the web asks for: words, "a phrase", or, -not; folded and stemmed like search_words.';

-- The same words, any of them: what a rank counts. One list, so that a rank costs the same
-- whatever the query's form.
CREATE FUNCTION search_terms(input text) RETURNS tsquery
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    SELECT string_agg('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''', ' | ')::tsquery
    FROM unnest(tsvector_to_array(search_words(search_tex(input)))) AS lexeme
);
COMMENT ON FUNCTION search_terms(text) IS 'Any of the words of a query, for ranks.';

CREATE OR REPLACE FUNCTION paper_words(title text, abstract text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN setweight(search_words(search_tex(left(title, 10000))), 'A')
    || setweight(search_words(search_tex(left(abstract, 50000))), 'B');

-- A tsvector keeps positions up to 16,383 only, so that a phrase further on would not be found: a
-- long text has a vector for each 80,000 characters, with the places of its own words and the
-- other words of the paper (title and abstract, too) without places.
CREATE FUNCTION search_parts(input text, metadata tsvector) RETURNS TABLE (part integer, words tsvector)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    size CONSTANT integer := 80000;
    overlap CONSTANT integer := 300;
    parts tsvector[] := '{}';
    everything tsvector := strip(metadata);
BEGIN
    FOR n IN 0..greatest(0, (least(length(input), 900000) - 1) / size) LOOP
        parts := parts || search_words(substr(input, n * size + 1, size + overlap));
        everything := everything || strip(parts[n + 1]);
    END LOOP;
    RETURN QUERY
        SELECT (n - 1)::integer, one || everything
        FROM unnest(parts) WITH ORDINALITY AS given(one, n);
END $$;
COMMENT ON FUNCTION search_parts(text, tsvector) IS
    'The rows of paper_search for a text; words of the first 900,000 characters.';

CREATE FUNCTION index_paper_text(paper text, content text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    held papers%ROWTYPE;
BEGIN
    SELECT * INTO held FROM papers WHERE arxiv_id = paper;
    DELETE FROM paper_search WHERE arxiv_id = paper;
    BEGIN
        INSERT INTO paper_search (arxiv_id, part, published_at, words)
        SELECT paper, parts.part, held.published_at, parts.words
        FROM search_parts(content, held.words) AS parts;
    EXCEPTION WHEN program_limit_exceeded THEN  -- over 1 MiB of different words: no prose
        INSERT INTO paper_search (arxiv_id, part, published_at, words)
        SELECT paper, parts.part, held.published_at, parts.words
        FROM search_parts(left(content, 80000), held.words) AS parts;
    END;
END $$;
COMMENT ON FUNCTION index_paper_text(text, text) IS 'Makes the rows of paper_search for a paper''s text.';

CREATE FUNCTION paper_texts_index() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR NEW.content IS DISTINCT FROM OLD.content
       OR NOT EXISTS (SELECT FROM paper_search WHERE arxiv_id = NEW.arxiv_id) THEN
        PERFORM index_paper_text(NEW.arxiv_id, NEW.content);
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION paper_texts_index() IS 'Keeps paper_search when a text is stored or changed.';
CREATE TRIGGER paper_texts_index AFTER INSERT OR UPDATE OF content ON paper_texts
    FOR EACH ROW EXECUTE FUNCTION paper_texts_index();
