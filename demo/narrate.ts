let failed = 0;

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Tells whether an expectation held; the demo exits non-zero if one did not. */
export function check(holds: boolean, expectation: string): void {
  if (!holds) failed += 1;
  say(`  ${holds ? '✓' : '✗ EXPECTED'} ${expectation}`);
}

export function failures(): number {
  return failed;
}
