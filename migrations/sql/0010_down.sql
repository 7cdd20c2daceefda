-- Words that were folded stay so until their papers are written.
DROP TRIGGER paper_texts_index ON paper_texts;
DROP FUNCTION paper_texts_index();
DROP FUNCTION index_paper_text(text, text);
DROP FUNCTION search_parts(text, tsvector);
CREATE OR REPLACE FUNCTION paper_words(title text, abstract text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN setweight(to_tsvector('english'::regconfig, left(title, 10000)), 'A')
    || setweight(to_tsvector('english'::regconfig, left(abstract, 50000)), 'B');
DROP FUNCTION search_terms(text);
DROP FUNCTION search_query(text);
DROP FUNCTION search_words(text);
DROP FUNCTION search_tex(text);
DROP FUNCTION search_letters(text);
DROP TABLE search_backfill, paper_search;
