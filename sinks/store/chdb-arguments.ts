/**
 * Engine options of the embedded store; all sessions on a path share those of the first. None is set: thread counts,
 * cache sizes, background pools and the allocator's decay made no measurable difference. What makes memory is merging,
 * which the table's own settings keep small (`migrations/0001-entries.ts`).
 */
export const CHDB_ARGUMENTS: readonly string[] = [];
