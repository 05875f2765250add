"""Passages of recordings with full-text search, and the names that people give to speakers."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# IMMUTABLE, as a generated column asks; what they say must not change with a release of Postgres, so both name all they know.
LANGUAGES = r"""
-- How words of a language (ISO 639-1) are brought to their stems; those that Postgres 16 does not know stay as they are.
CREATE FUNCTION search_language(language text) RETURNS regconfig LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE language
        WHEN 'ar' THEN 'pg_catalog.arabic'::regconfig WHEN 'ca' THEN 'pg_catalog.catalan'::regconfig
        WHEN 'da' THEN 'pg_catalog.danish'::regconfig WHEN 'de' THEN 'pg_catalog.german'::regconfig
        WHEN 'el' THEN 'pg_catalog.greek'::regconfig WHEN 'en' THEN 'pg_catalog.english'::regconfig
        WHEN 'es' THEN 'pg_catalog.spanish'::regconfig WHEN 'eu' THEN 'pg_catalog.basque'::regconfig
        WHEN 'fi' THEN 'pg_catalog.finnish'::regconfig WHEN 'fr' THEN 'pg_catalog.french'::regconfig
        WHEN 'hi' THEN 'pg_catalog.hindi'::regconfig WHEN 'hu' THEN 'pg_catalog.hungarian'::regconfig
        WHEN 'hy' THEN 'pg_catalog.armenian'::regconfig WHEN 'id' THEN 'pg_catalog.indonesian'::regconfig
        WHEN 'it' THEN 'pg_catalog.italian'::regconfig WHEN 'lt' THEN 'pg_catalog.lithuanian'::regconfig
        WHEN 'ne' THEN 'pg_catalog.nepali'::regconfig WHEN 'nl' THEN 'pg_catalog.dutch'::regconfig
        WHEN 'no' THEN 'pg_catalog.norwegian'::regconfig WHEN 'nn' THEN 'pg_catalog.norwegian'::regconfig
        WHEN 'pt' THEN 'pg_catalog.portuguese'::regconfig WHEN 'ro' THEN 'pg_catalog.romanian'::regconfig
        WHEN 'ru' THEN 'pg_catalog.russian'::regconfig WHEN 'sr' THEN 'pg_catalog.serbian'::regconfig
        WHEN 'sv' THEN 'pg_catalog.swedish'::regconfig WHEN 'ta' THEN 'pg_catalog.tamil'::regconfig
        WHEN 'tr' THEN 'pg_catalog.turkish'::regconfig WHEN 'yi' THEN 'pg_catalog.yiddish'::regconfig
        ELSE 'pg_catalog.simple'::regconfig END
$$;

-- What is read of a text: its beginning, as Postgres refuses a tsvector of more than 1 MiB, with each letter of a script
-- that writes no spaces (Thai, Lao, Burmese, Khmer, kana, Han) set apart by the control character US, which is no word.
CREATE FUNCTION searchable(text text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT pg_catalog.regexp_replace(
        pg_catalog.left(pg_catalog.translate(text, E'\x02\x03\x1f', '   '), 20000),
        '([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fff\u3005-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])',
        E'\x1f\\1\x1f', 'g')
$$;
"""

TABLES = """
CREATE TABLE passages (
    job_id UUID NOT NULL,
    ordinal BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    start_seconds DOUBLE PRECISION NOT NULL,
    end_seconds DOUBLE PRECISION NOT NULL,
    speaker TEXT,
    language TEXT NOT NULL,
    text TEXT NOT NULL,
    words TSVECTOR GENERATED ALWAYS AS (to_tsvector(search_language(language), searchable(text))) STORED NOT NULL,
    PRIMARY KEY (job_id, ordinal),
    FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
CREATE INDEX passages_words ON passages USING gin (words);

CREATE TABLE speakers (
    job_id UUID NOT NULL,
    label TEXT NOT NULL,
    name TEXT NOT NULL,
    renamed_by TEXT NOT NULL,
    renamed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (job_id, label),
    FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
"""

# One look into the index for the question in every language at once; then each passage is held against the question in its
# own. @@ is not leakproof, so that row-level security would bar it from the index: the function applies the rule itself.
SEARCH = r"""
CREATE FUNCTION search_passages(q text, most int, after_rank bigint, after_created_at timestamptz, after_job uuid, after_ordinal bigint)
RETURNS TABLE (job_id uuid, ordinal bigint, rank bigint, created_at timestamptz, query tsquery)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    -- A run of letters that are set apart means these letters in this order.
    asked text := CASE WHEN position('"' IN q) > 0 THEN searchable(q)
                       ELSE searchable(regexp_replace(q, '((?:[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fff\u3005-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])+)', ' "\1" ', 'g')) END;
    known regconfig[];
    questions tsquery[];
    one tsquery;
    any_of tsquery;
BEGIN
    -- What only says which words must not be there would read all passages of everybody.
    SELECT array_agg(c.language), array_agg(websearch_to_tsquery(c.language, asked)) INTO known, questions
    FROM (SELECT DISTINCT search_language(code) AS language FROM unnest(string_to_array(
              'ar ca da de el en es eu fi fr hi hu hy id it lt ne nl no pt ro ru sr sv ta tr yi -', ' ')) AS code) AS c
    WHERE numnode(websearch_to_tsquery(c.language, asked)) > 0 AND querytree(websearch_to_tsquery(c.language, asked)) <> 'T';
    IF known IS NULL THEN
        RETURN;
    END IF;
    FOREACH one IN ARRAY (SELECT array_agg(DISTINCT u) FROM unnest(questions) AS u) LOOP
        any_of := CASE WHEN any_of IS NULL THEN one ELSE any_of || one END;
    END LOOP;
    -- Of a word that more passages have than this, some are passed over.
    RETURN QUERY
    WITH found AS MATERIALIZED (
        SELECT p.job_id, p.ordinal, j.created_at, l.query, p.words
        FROM passages p
        JOIN unnest(known, questions) AS l(language, query) ON l.language = search_language(p.language)
        JOIN jobs j ON j.id = p.job_id
        WHERE p.words @@ any_of AND p.words @@ l.query AND sees(j.owner)
        LIMIT 10000
    ), ranked AS (
        SELECT f.job_id, f.ordinal, (ts_rank_cd(f.words, f.query, 1) * 1000000)::bigint AS rank, f.created_at, f.query FROM found f
    )
    SELECT r.* FROM ranked r
    WHERE after_rank IS NULL
       OR r.rank < after_rank
       OR r.rank = after_rank AND (r.created_at, r.job_id) < (after_created_at, after_job)
       OR r.rank = after_rank AND (r.created_at, r.job_id) = (after_created_at, after_job) AND r.ordinal > after_ordinal
    ORDER BY r.rank DESC, r.created_at DESC, r.job_id DESC, r.ordinal
    LIMIT most;
END $$;
"""

# People write nothing else here, so that the web's role needs no right to.
NAMING = """
CREATE FUNCTION name_speaker(of_job uuid, of_label text, given text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM jobs j JOIN passages p ON p.job_id = j.id
                   WHERE j.id = of_job AND p.speaker = of_label AND sees(j.owner)) THEN
        RETURN false;
    END IF;
    IF given = '' THEN
        DELETE FROM speakers s WHERE s.job_id = of_job AND s.label = of_label;
    ELSE
        INSERT INTO speakers AS s (job_id, label, name, renamed_by)
        VALUES (of_job, of_label, given, coalesce(current_setting('spotmill.user', true), ''))
        ON CONFLICT (job_id, label) DO UPDATE
        SET name = excluded.name, renamed_by = excluded.renamed_by, renamed_at = now() WHERE s.name <> excluded.name;
    END IF;
    RETURN true;
END $$;
"""

ACCESS = """
ALTER TABLE passages ENABLE ROW LEVEL SECURITY;
ALTER TABLE speakers ENABLE ROW LEVEL SECURITY;
CREATE POLICY passages_people ON passages TO spotmill_web USING (EXISTS (SELECT FROM jobs j WHERE j.id = job_id));
CREATE POLICY speakers_people ON speakers TO spotmill_web USING (EXISTS (SELECT FROM jobs j WHERE j.id = job_id));
CREATE POLICY passages_services ON passages TO spotmill_worker USING (true);
GRANT SELECT ON passages, speakers TO spotmill_web;
GRANT SELECT, INSERT ON passages TO spotmill_worker;
"""


def upgrade() -> None:
    op.execute(LANGUAGES)
    op.execute(TABLES)
    op.execute(SEARCH)
    op.execute(NAMING)
    op.execute(ACCESS)


def downgrade() -> None:
    op.execute("DROP FUNCTION name_speaker")
    op.execute("DROP FUNCTION search_passages")
    op.execute("DROP TABLE speakers, passages")
    op.execute("DROP FUNCTION searchable")
    op.execute("DROP FUNCTION search_language")
