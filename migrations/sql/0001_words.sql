-- What the columns papers.words and papers.author_words are made of. The texts are cut, because
-- a tsvector holds at most 1 MiB and a longer one would be an error in mid-harvest.

CREATE FUNCTION paper_words(title text, abstract text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN setweight(to_tsvector('english'::regconfig, left(title, 10000)), 'A')
    || setweight(to_tsvector('english'::regconfig, left(abstract, 50000)), 'B');
COMMENT ON FUNCTION paper_words(text, text) IS 'Words of a title and an abstract, stemmed in English.';

-- " and " keeps a phrase from matching the end of one name and the beginning of the next.
CREATE FUNCTION author_words(authors text[]) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN to_tsvector('simple'::regconfig, left(array_to_string(authors, ' and '), 100000));
COMMENT ON FUNCTION author_words(text[]) IS 'Words of authors'' names, in their order.';
