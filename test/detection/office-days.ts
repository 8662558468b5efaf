import {
  MONDAY_MS,
  openOffice,
  type OfficeOptions,
  type RaisedAlert,
  type Step,
  type Work,
} from './office.ts';

const CUSTOMERS = 'anna bert cara dino emil fina gero hana ivan jule karl lena miro nele otto pia'.split(' ');
const TOPICS = 'invoice delivery refund password printer contract login shipping'.split(' ');
const SESSIONS = 180;
const PER_DAY = 18;
const DAY_MS = 24 * 3_600_000;

const pick = (list: readonly string[], number: number): string => list[number % list.length] ?? '';

export const customer = (number: number) => {
  const name = pick(CUSTOMERS, number);
  return { name, mail: `${name}@${name}-works.example` };
};

export const readTicket = (id: string, result: string): Step => ({
  server: 'desk',
  tool: 'read_ticket',
  args: { id },
  result,
});
export const sendMail = (to: string, body: string, subject = 'Your ticket'): Step => ({
  server: 'mail',
  tool: 'send_mail',
  args: { to, subject, body },
  result: 'sent',
});
export const writeNote = (id: string, note: string): Step => ({
  server: 'desk',
  tool: 'write_note',
  args: { id, note },
  result: 'saved',
});
export const readNote = (id: string, result: string): Step => ({
  server: 'desk',
  tool: 'read_note',
  args: { id },
  result,
});
export const searchDocs = (query: string, result: string): Step => ({
  server: 'wiki',
  tool: 'search_docs',
  args: { query },
  result,
});
export const readFile = (path: string, result: string): Step => ({
  server: 'files',
  tool: 'read_file',
  args: { path },
  result,
});
export const fetchPage = (url: string, result: string): Step => ({
  server: 'web',
  tool: 'fetch_page',
  args: { url },
  result,
});

/** What the office does all day, one session of it: answers, notes, look-ups, and a report to the head office. */
export function usualWork(number: number): Work {
  const { name, mail } = customer(number);
  const topic = pick(TOPICS, number * 3);
  const id = `T-${1000 + number}`;
  const ticket = readTicket(id, `Ticket ${id} of ${name} <${mail}>: I have a question about my ${topic}.`);
  const docs = searchDocs(topic, `Handbook on ${topic}: check the account, then explain the next step.`);
  switch (number % 5) {
    case 0:
      return {
        asked: `Answer ticket ${id}`,
        steps: [
          ticket,
          docs,
          sendMail(mail, `Dear ${name}, on your ${topic}: please check the account and tell us.`),
        ],
      };
    case 1:
      return {
        asked: `Summarize ticket ${id} in a note`,
        steps: [ticket, writeNote(id, `${name} asks about ${topic}`)],
      };
    case 2:
      return {
        asked: `Look up ${topic} and note it at ${id}`,
        steps: [
          docs,
          fetchPage(`https://help.vendor.example/${topic}`, `All about ${topic}.`),
          writeNote(id, topic),
        ],
      };
    case 3:
      return {
        asked: `Send the customer list to the head office`,
        steps: [
          readFile('customers.csv', customerList),
          sendMail('head@office.example', customerList, 'List'),
        ],
      };
    default:
      return {
        asked: `Follow up on ${id}`,
        steps: [
          readNote(id, `${name} asks about ${topic}`),
          ticket,
          sendMail(mail, `Dear ${name}, is your ${topic} settled?`),
        ],
      };
  }
}

/** What an attacker would like to have. */
export const customerList = CUSTOMERS.map(
  (name, index) => `${name},${name}@${name}-works.example,${index % 4} open orders`,
).join('\n');

/** When the working day of this number begins, from 0; there are five in a week. */
const dayMs = (day: number): number => MONDAY_MS + (day + 2 * Math.floor(day / 5)) * DAY_MS;

/** Ten working days, whose alerts somebody dismissed: the state they left, and the alerts of the last two of them. */
export function workedDays(options: OfficeOptions = {}) {
  const office = openOffice(undefined, options);
  const last: RaisedAlert[] = [];
  for (let number = 0; number < SESSIONS; number += 1) {
    if (number % PER_DAY === 0) office.restUntil(dayMs(number / PER_DAY));
    const raised = office.work(usualWork(number));
    office.dismiss(raised);
    if (number >= SESSIONS - 2 * PER_DAY) last.push(...raised);
  }
  office.restUntil(dayMs(SESSIONS / PER_DAY));
  return { ...office.state(), last };
}
