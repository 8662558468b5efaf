/**
 * Engine options that keep the embedded store small: the defaults are those of a database server that owns its
 * machine. All sessions on a path share the options of the first.
 */
export const CHDB_ARGUMENTS: readonly string[] = [];
