DROP TRIGGER papers_note_created ON papers;
DROP TRIGGER papers_note_updated ON papers;
DROP TRIGGER papers_note_removed ON papers;
DROP TRIGGER papers_note_truncated ON papers;
DROP TRIGGER paper_versions_note_inserted ON paper_versions;
DROP TRIGGER paper_versions_note_updated ON paper_versions;
DROP TRIGGER paper_texts_note_inserted ON paper_texts;
DROP TRIGGER paper_texts_note_updated ON paper_texts;
DROP TRIGGER documents_note_inserted ON documents;
DROP TRIGGER documents_note_updated ON documents;
DROP FUNCTION papers_note_created, papers_note_updated, papers_note_removed,
    papers_note_truncated, paper_versions_note_changes, paper_texts_note_changes,
    paper_texts_note_updated,
    documents_note_changes, paper_change_batch, merged_change_kind, paper_change_origin,
    order_paper_changes;
DROP TABLE paper_changes, paper_change_batches, paper_change_feed;
