/** A parsed value a test looks into without checking each step: what `JSON.parse` gives. */
export type Parsed = ReturnType<typeof JSON.parse>;
