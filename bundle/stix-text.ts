/** Names from events may hold half a character; JSON for others may not. It becomes U+FFFD. */
export const wellFormedText = (text: string): string => Buffer.from(text, 'utf8').toString('utf8');
