import { expect, it } from 'vitest';
import { accessDetectors } from '../../detectors/access-detectors.ts';
import { detectConfig } from './sessions.ts';

const ids = [
  'allowed-set',
  'auth-burst',
  'denial-probing',
  'first-seen',
  'token-misuse',
  'unapproved-privilege',
  'unregistered',
  'unusual-hours',
];

it('all detectors of access and identity run unless switched off', () => {
  expect(accessDetectors(detectConfig()).map(({ id }) => id)).toEqual(ids);
  for (const id of ids) {
    const off = detectConfig({ [id.replaceAll('-', '_')]: { enabled: false } });
    expect(accessDetectors(off).map((detector) => detector.id)).toEqual(ids.filter((one) => one !== id));
  }
});
