/**
 * Engine options of the embedded store; all sessions on a path share those of the first. None is set: what short runs
 * showed to make memory is merging, which the table's own settings keep small (`migrations/0001-entries.ts`). Thread
 * counts, cache and pool sizes and the allocator's decay showed no gain in one short run each on a busy machine, which
 * does not rule a small one out.
 */
export const CHDB_ARGUMENTS: readonly string[] = [];
