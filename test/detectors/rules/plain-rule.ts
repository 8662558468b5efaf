/** What every rule has to have, for tests that are about the rest. */
export const plainRule = {
  id: 'r',
  title: 'T',
  version: 1,
  description: 'd',
  severity: 'medium',
  maturity: 'test',
  alert: { reason: 'x' },
};
