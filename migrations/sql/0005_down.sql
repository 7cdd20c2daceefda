DROP TABLE documents;
ALTER TABLE paper_texts
    DROP COLUMN text_state, DROP COLUMN pages, DROP COLUMN furniture,
    DROP COLUMN extractor, DROP COLUMN quality;
ALTER TABLE papers DROP COLUMN text_state;
