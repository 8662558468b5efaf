/** Something in a Sigma rule that has no equal here; `path` is where, such as `detection.selection.tool.name|base64offset`. */
export class SigmaError extends Error {
  readonly path: string;
  constructor(path: string, message: string) {
    super(message);
    this.name = 'SigmaError';
    this.path = path;
  }
}

/** Text as a CEL literal; JSON's escapes are CEL's. */
export function celString(text: string): string {
  return JSON.stringify(text);
}
