import { toolNameWords } from '../../schemas/tool-name-words.ts';

const openingWords = new Set(
  (
    'browse browser crawl curl download extract fetch get goto http load navigate open page read request scrape search site ' +
    'snapshot url view visit web website'
  ).split(' '),
);
const sendingWords = new Set(
  (
    'backup copy email export forward import mail message mirror post publish push put reply send share submit sync ' +
    'transfer upload write'
  ).split(' '),
);

/** By its name the tool gets what is at an address: what comes back came in, however large it is. */
export function opensPages(tool: string): boolean {
  const words = toolNameWords(tool);
  return words.some((word) => openingWords.has(word)) && !words.some((word) => sendingWords.has(word));
}
