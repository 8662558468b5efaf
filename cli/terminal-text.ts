/** Texts of events and alerts hold names an attacker may have chosen: control characters must not reach the terminal. */
export function terminalText(text: string): string {
  return text.replace(/\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');
}
