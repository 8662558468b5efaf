import { PREIMAGE } from './0001-entries.ts';
import { onCluster, type Migration, type SchemaVariant } from './migration.ts';

/**
 * Verification for analysts, in SQL. A convenience and no evidence: the server that answers could lie, which is why
 * `custody verify` recomputes everything outside of it. Signatures are not checked here.
 */

/**
 * One row for each thing that is wrong with a stored entry; none for a store that is right. Two passes: the neighbours need
 * sorting, and bodies that were sorted with them would not fit in a reader's memory.
 */
const verifyEntries = (
  variant: SchemaVariant,
): string => `CREATE OR REPLACE VIEW custody.verify_entries${onCluster(variant)} AS
SELECT log, seq, cause, day
FROM
(
  SELECT log, seq, day, if(body_sha != SHA256(body), 'BODY_HASH', 'LEAF_HASH') AS cause
  FROM custody.entries
  WHERE body_sha != SHA256(body) OR leaf != SHA256(concat(char(0), ${PREIMAGE}))
  UNION ALL
  SELECT log, seq, day, cause
  FROM
  (
    SELECT log, seq, day,
      multiIf(
        NOT has_before AND seq = 0, if(prev != unhex(repeat('00', 32)), 'LINK', ''),
        NOT has_before, if(seq NOT IN (SELECT toUInt64OrZero(JSONExtractString(act.body, 'first_seq')) FROM custody.anchor_entries AS act WHERE act.type = 'pruned'), 'HEAD_MISSING', ''),
        seq = seq_before, if(leaf != leaf_before, 'FORK', ''),
        seq > seq_before + 1, 'GAP',
        prev != leaf_before, 'LINK',
        '') AS cause
    FROM
    (
      SELECT log, seq, day, prev, leaf,
        lagInFrame(1, 1, 0) OVER before = 1 AS has_before,
        lagInFrame(seq) OVER before AS seq_before,
        lagInFrame(leaf) OVER before AS leaf_before
      FROM custody.entries
      WINDOW before AS (PARTITION BY log ORDER BY seq ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
    )
  )
  WHERE cause != ''
)
COMMENT 'Stored entries that contradict themselves or their neighbours, with the cause'`;

/** One row for each log, stored or signed. */
const verifyLogs = (
  variant: SchemaVariant,
): string => `CREATE OR REPLACE VIEW custody.verify_logs${onCluster(variant)} AS
SELECT
  if(stored.log = '', signed.log, stored.log) AS log,
  stored.first_seq AS first_seq,
  stored.last_seq AS last_seq,
  stored.entries AS entries,
  stored.copies AS copies,
  if(stored.entries = 0, 0, stored.last_seq - stored.first_seq + 1 - stored.entries) AS missing,
  signed.size AS checkpoint_size,
  fromUnixTimestamp64Milli(signed.time_ms, 'UTC') AS checkpoint_time,
  if(stored.entries > 0 AND stored.last_seq + 1 > signed.size, stored.last_seq + 1 - greatest(signed.size, stored.first_seq), 0) AS unsigned,
  multiIf(
    stored.entries = 0, if(signed.pruned_to >= signed.size, 'pruned', 'LOG_MISSING'),
    stored.first_seq > signed.pruned_to, 'HEAD_MISSING',
    missing > 0, 'GAP',
    stored.last_seq + 1 < signed.size, 'TRUNCATED',
    signed.size > 0 AND last_signed.leaf != signed.leaf, 'ROOT_MISMATCH',
    signed.size = 0, 'unsigned',
    'covered') AS state
FROM
(
  SELECT toString(entry.log) AS log, min(entry.seq) AS first_seq, max(entry.seq) AS last_seq,
    uniqExact(entry.seq) AS entries, count() - uniqExact(entry.seq) AS copies
  FROM custody.entries AS entry GROUP BY entry.log
) AS stored
FULL OUTER JOIN
(
  SELECT toString(act.log) AS log, maxIf(act.size, act.type = 'checkpoint') AS size,
    maxIf(act.time_ms, act.type = 'checkpoint') AS time_ms,
    unhex(argMaxIf(JSONExtractString(act.body, 'leaf'), act.size, act.type = 'checkpoint')) AS leaf,
    max(toUInt64OrZero(JSONExtractString(act.body, 'first_seq'))) AS pruned_to
  FROM custody.anchor_entries AS act WHERE act.type IN ('checkpoint', 'pruned') GROUP BY act.log
) AS signed ON stored.log = signed.log
LEFT ANY JOIN
(
  SELECT toString(entry.log) AS log, entry.leaf AS leaf FROM custody.entries AS entry
  WHERE (entry.log, entry.seq) IN (SELECT log, max(size) - 1 FROM custody.anchor_entries WHERE type = 'checkpoint' GROUP BY log)
) AS last_signed ON last_signed.log = signed.log
COMMENT 'Every log: what is stored, what is signed, and whether the one covers the other'`;

/** A step unites 2^8 neighbouring nodes, eight levels of the tree; four steps reach 2^32 entries. */
const STEP_LEVELS = 8;
const STEPS = 4;

/** One level inside of arrays of neighbouring nodes; a last one without a neighbour goes up as it is (RFC 6962 §2.1). */
const level = (inner: string): string => `SELECT log, place,
  arrayMap((l, r) -> if(r = toFixedString('', 32), l, SHA256(concat(char(1), l, r))),
    arrayFilter((hash, at) -> at % 2 = 1, hashes, arrayEnumerate(hashes)) AS lefts,
    arrayResize(arrayFilter((hash, at) -> at % 2 = 0, hashes, arrayEnumerate(hashes)), length(lefts))) AS hashes
FROM
(
${inner}
)`;

/** Unites rows of (log, place, hash) to one for each 2^8 of them. */
function step(rows: string): string {
  let query = `SELECT log, part AS place, arrayMap(node -> node.2, arraySort(groupArray((at, hash)))) AS hashes
FROM
(
SELECT log, place AS at, intDiv(place, ${2 ** STEP_LEVELS}) AS part, hash FROM
(
${rows}
)
)
GROUP BY log, part`;
  for (let count = 0; count < STEP_LEVELS; count++) query = level(query);
  return `SELECT log, place, hashes[1] AS hash FROM
(
${query}
)`;
}

/** The root of each signed log that is stored whole, next to the root of its newest checkpoint. */
function verifyRoots(variant: SchemaVariant): string {
  let query = `SELECT log, seq AS place, any(leaf) AS hash FROM
(
SELECT entries.log AS log, entries.seq AS seq, entries.leaf AS leaf
FROM custody.entries AS entries
INNER JOIN
(
SELECT toString(act.log) AS log, max(act.size) AS size FROM custody.anchor_entries AS act WHERE act.type = 'checkpoint' GROUP BY act.log
) AS signed ON toString(entries.log) = signed.log
WHERE entries.seq < signed.size
)
GROUP BY log, seq`;
  for (let count = 0; count < STEPS; count++) query = step(query);
  return `CREATE OR REPLACE VIEW custody.verify_roots${onCluster(variant)} AS
SELECT roots.log AS log, signed.size AS size, lower(hex(roots.hash)) AS root, signed.root AS signed_root, root = signed_root AS same
FROM
(
${query}
) AS roots
INNER JOIN
(
SELECT toString(act.log) AS log, max(act.size) AS size, argMax(JSONExtractString(act.body, 'root'), act.size) AS root
FROM custody.anchor_entries AS act WHERE act.type = 'checkpoint' GROUP BY act.log
) AS signed ON toString(roots.log) = signed.log
COMMENT 'Recomputed Merkle root of each log at its newest checkpoint; a log whose first entries were pruned has another'`;
}

export const verificationViewsMigration: Migration = {
  version: 3,
  name: '0003-verification-views',
  statements: (variant) => [verifyEntries(variant), verifyLogs(variant), verifyRoots(variant)],
};
