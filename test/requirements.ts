/**
 * What the product promises, as data. A test says which promise it tries to break with `verifies(id)`; the gate in
 * `requirements.test.ts` fails when a promise has no test or a test names an unknown id.
 */
export const requirements = {
  P1: 'Accepted means durable: success is answered only after the records are on disk.',
  P2: 'Every accepted record becomes exactly one ledger entry, through kill -9 and retries.',
  P3: 'A ledger entry is a pure function of its place in the log; rebuilding gives identical bytes.',
  P4: 'A changed entry, a missing tail or a missing log is detected, located and named by cause.',
  P5: 'Detectors are deterministic on event time: live, replay and tests give the same alerts with the same ids.',
  P6: 'Every alert reaches every sink at least once under one stable id; a drop is counted and dead-lettered.',
  P7: 'Secrets and PII are redacted before the first durable write.',
  P8: 'Listens on loopback unless configured, and then only with authentication and TLS.',
  P9: 'The stages give the same hashes and alerts for the same log whatever runs them.',
  P10: 'Bad input gets a clear error naming field and reason; never a crash, a hang or unbounded memory.',
  Q1: 'Detectors cannot be taught: attack sessions in the stream cost less than 0.03 recall.',
  Q2: 'No value of a tenant reaches what tenants share, and what one tenant does changes no alert of another.',
  Q3: 'Every detector and every rule fires on a planted incident and stays quiet on its look-alike.',
  Q4: 'Ways around detection are played, and the page on them says what is caught and what is not.',
} as const;

export type RequirementId = keyof typeof requirements;

/** Marks the running test as an attempt to break these promises; the gate reads the calls from the sources. */
export function verifies(...ids: readonly RequirementId[]): void {
  for (const id of ids) if (!(id in requirements)) throw new Error(`no requirement ${id}`);
}
