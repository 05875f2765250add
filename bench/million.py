"""Fills a database as four months of work of 200 people leave it: a million jobs in a minute or two."""

from sqlalchemy import Engine, text

#: Who has a fifth of all jobs, and one of those who share the rest; a tenth is nobody's.
BUSIEST, ANOTHER = "person-0@example.org", "person-150@example.org"
_BATCH = 100_000

_JOBS = text("""
    INSERT INTO jobs (bucket, object, generation, pipeline, owner, size_bytes, content_type, crc32c, status, progress,
                      attempt, failures, error, result, created_at, queued_at, started_at, finished_at, updated_at,
                      published_at, not_before)
    SELECT 'spotmill-uploads', to_char(at, 'YYYYMMDD"T"HH24"Z"') || '/' || gen_random_uuid() || '/' || name, n,
           pipeline, CASE WHEN who < 0.1 THEN NULL WHEN who < 0.3 THEN 'person-0@example.org'
                          ELSE 'person-' || floor(200 * (who - 0.3) / 0.7) || '@example.org' END,
           100000 + floor(9e6 * random())::bigint, kind, 'AAAAAA==', status, (status = 'succeeded')::int,
           (status NOT IN ('queued', 'superseded'))::int, (status = 'failed')::int,
           CASE status WHEN 'failed' THEN 'The file is cut off in its first half.'
                       WHEN 'cancelled' THEN 'Cancelled.' END,
           CASE status WHEN 'succeeded' THEN '{"width": 4000, "height": 3000, "format": "jpeg", "exif":
                {"Model": "Camera", "FocalLength": 35, "ISO": 200, "ExposureTime": "1/250"}}'::jsonb END,
           at, at, at + interval '1 min', CASE WHEN status <> 'queued' THEN at + interval '63 s' END, at, at, at
    FROM (
        SELECT n, now() - (:many - n) * (interval '120 days' / :many) AS at, random() AS who,
               CASE WHEN share < 0.04 THEN 'queued' WHEN share < 0.14 THEN 'failed' WHEN share < 0.15 THEN 'cancelled'
                    WHEN share < 0.155 THEN 'superseded' ELSE 'succeeded' END AS status,
               (ARRAY['video', 'audio', 'audio', 'image', 'image'])[1 + mod(n, 5)] AS pipeline,
               (ARRAY['video/mp4', 'audio/flac', 'audio/flac', 'image/jpeg', 'image/jpeg'])[1 + mod(n, 5)] AS kind,
               (ARRAY['harbour', 'interview', 'viewing', 'concert', 'DSC', 'IMG', 'podcast', 'drone'])[1 + mod(n, 8)]
               || '-' || lpad(n::text, 7, '0')
               || (ARRAY['.mp4', '.flac', '.flac', '.jpg', '.jpg'])[1 + mod(n, 5)] AS name
        FROM (SELECT n, random() AS share
              FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n) AS numbers
    ) AS made""")

_REST = (
    """INSERT INTO attempts (job_id, attempt, worker, started_at, ended_at, outcome)
       SELECT id, 1, 'spotmill-workers-0abc/1', started_at, finished_at, status FROM jobs
       WHERE status IN ('succeeded', 'failed')""",
    """INSERT INTO artifacts (job_id, attempt, kind, bucket, object, generation, content_type, size_bytes, crc32c,
                              filename)
       SELECT id, 1, kind, 'spotmill-results', id || '/1/' || kind || '.webp', 1, 'image/webp', 20000, 'AAAAAA==',
              kind || '.webp'
       FROM jobs, unnest(ARRAY['thumbnail', 'web']) AS kind WHERE status = 'succeeded' AND pipeline = 'image'""",
    """UPDATE jobs SET status = 'running', lease_until = now() + interval '1 h', worker = 'spotmill-workers-0abc/1',
                       attempt = 1
       WHERE id IN (SELECT id FROM jobs WHERE status = 'queued' ORDER BY not_before LIMIT 16)""",
    """INSERT INTO workers (id, instance, zone, boot_id, machine_type, slots, state)
       VALUES ('spotmill-workers-0abc/1', 'spotmill-workers-0abc', 'us-central1-a', '1', 'e2-standard-8', 16,
               'busy')""",
    # A fifth of all jobs was done in the run that is open.
    """INSERT INTO runs (started_by, workers, started_at)
       VALUES ('person-0@example.org', 8, now() - interval '24 days')""",
    "INSERT INTO job_counts SELECT coalesce(owner, ''), status, count(*) FROM jobs GROUP BY 1, 2",
)


def fill(superuser: Engine, many: int) -> None:
    """Write the jobs without triggers and indexes; the indexes are made afterwards, the counts are counted."""
    with superuser.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("SET LOCAL maintenance_work_mem = '512MB'"))
        indexes = connection.execute(
            text("""SELECT indexname, indexdef FROM pg_indexes i WHERE tablename IN ('jobs', 'attempts', 'artifacts')
                    AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conname = i.indexname)""")
        ).all()
        for index in indexes:
            connection.execute(text(f'DROP INDEX "{index.indexname}"'))
        for first in range(1, many + 1, _BATCH):
            connection.execute(_JOBS, {"many": many, "first": first, "last": min(many, first + _BATCH - 1)})
        for statement in _REST:
            connection.execute(text(statement))
        for index in indexes:
            connection.execute(text(index.indexdef.replace(":", "\\:")))
    with superuser.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
        connection.execute(text("SELECT fold_job_counts()"))  # as each tick does
