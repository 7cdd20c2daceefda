"""A demand of the model that is not met is shown in full, like an assertion of a test."""

import pytest

pytest.register_assert_rewrite("tests.properties.model")
