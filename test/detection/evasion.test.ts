import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { isPaging } from '../../backtest/evaluate/play-recording.ts';
import { verifies } from '../requirements.ts';
import { outcomeOf, raisedBy, tableOf, withTable, type Outcome } from './evasion-table.ts';
import { evasions, honestWork } from './evasions.ts';
import { customer, workedDays } from './office-days.ts';
import { officeRegistry, registeredAs } from './office-tools.ts';

const page = fileURLToPath(new URL('../../docs/operations/evasion.md', import.meta.url));
const isWrite = process.env['CUSTODY_TEST_WRITE_EVASION'] === '1';

let days: ReturnType<typeof workedDays>;
let outcomes: readonly Outcome[];
beforeAll(() => {
  days = workedDays();
  outcomes = evasions.map((evasion) => outcomeOf(days, evasion));
});

describe('an office that has worked for two weeks', () => {
  it('had no call to anybody in its last two days', () => {
    expect(days.last.filter(({ alert }) => isPaging(alert))).toEqual([]);
  });

  it.each(honestWork)('calls nobody for work that is honest: $id', (work) => {
    expect(raisedBy(days, work).filter(({ alert }) => isPaging(alert))).toEqual([]);
  });
});

describe('ways around detection', () => {
  it('do not include the theft without any disguise: it is caught before the list is gone', () => {
    expect(outcomes[0]).toMatchObject({ id: 'no disguise', verdict: 'in time' });
  });

  it('are caught or not as docs/operations/evasion.md says; CUSTODY_TEST_WRITE_EVASION=1 writes it', () => {
    verifies('Q4');
    const now = readFileSync(page, 'utf8');
    const made = withTable(now, tableOf(outcomes));
    if (isWrite) writeFileSync(page, made);
    else expect(now).toBe(made);
  });
});

describe('what the page advises', () => {
  const customers = Array.from({ length: 16 }, (_, number) => customer(number).mail.split('@')[1] ?? '');
  const listed = { hosts: [...customers, 'office.example', 'vendor.example'], allow: true };

  it.each([
    ['data in a web address', registeredAs('fetch_page', { egress: true })],
    ['order in a trusted source', registeredAs('search_docs', { open_world: true })],
    ['pre-warmed by request', { ...officeRegistry, complete: ['destinations'], destinations: [listed] }],
  ])('catches in time what was missed: %s', (id, registry) => {
    verifies('Q4');
    const evasion = evasions.find((each) => each.id === id);
    if (evasion === undefined) throw new Error(`no way ${id}`);
    const advised = workedDays({ registry });
    expect(advised.last.filter(({ alert }) => isPaging(alert))).toEqual([]);
    expect(['noted', 'missed']).toContain(outcomeOf(days, evasion).verdict);
    expect(outcomeOf(advised, evasion).verdict).toBe('in time');
  });
});
