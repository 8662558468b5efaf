/** Checks that are tested together: paths of the sources to take checks away from, and of the tests that must notice. */
export interface Group {
  readonly sources: RegExp;
  readonly tests: RegExp;
}

export const GROUPS: Readonly<Record<string, Group>> = {
  merkle: { sources: /^evidence\/merkle\//, tests: /^test\/evidence\/merkle\/.*\.test\.ts$/ },
  note: {
    sources: /^evidence\/note\//,
    tests: /^test\/evidence\/(note\/(note|checkpoint)|witness|checkpoint-vectors)\.test\.ts$/,
  },
  log: {
    sources: /^evidence\/(verify-log|row-follower|day-rule)\.ts$/,
    tests: /^test\/evidence\/(verify-log|row-follower|day-rule)\.test\.ts$/,
  },
  'anchor-log': {
    sources: /^evidence\/anchor-log\/(?!rotation-proof)/,
    tests: /^test\/evidence\/anchor-log\/.*\.test\.ts$/,
  },
  receipt: {
    sources: /^evidence\/(receipt\/|anchor-log\/rotation-proof)/,
    tests: /^test\/evidence\/receipt\/(verify|vectors)\.test\.ts$/,
  },
  bundle: { sources: /^evidence\/bundle\//, tests: /^test\/evidence\/bundle\/.*\.test\.ts$/ },
  store: {
    sources: /^sinks\/store\/verify-[a-z-]+\.ts$/,
    tests: /^test\/(sinks\/store\/verify-store|attacks\/(store|signed|rewritten))\.test\.ts$/,
  },
};
