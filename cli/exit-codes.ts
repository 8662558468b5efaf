import { CustodyError } from '../runtime/errors.ts';

/** Exit codes of every command; documented in the README. */
export const exitCodes = {
  ok: 0,
  /** Something failed that has no code of its own. */
  failed: 1,
  /** The command line or the configuration is wrong; nothing was started. */
  usage: 2,
  /** `verify`: the store contradicts the evidence. */
  invalid: 3,
  /** `verify`: nothing contradicts, but not everything could be checked. */
  undecidable: 4,
  /** The data directory is in use by another process, or a port is taken. */
  busy: 5,
  /** The pipeline, an endpoint or the disk is not available. */
  unavailable: 6,
} as const;

/** The exit code for an error that ends a command. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof CustodyError)) return exitCodes.failed;
  switch (error.code) {
    case 'config_invalid':
    case 'input_invalid':
    case 'input_too_large':
      return exitCodes.usage;
    case 'locked':
    case 'port_taken':
      return exitCodes.busy;
    case 'integrity':
      return exitCodes.invalid;
    case 'unauthorized':
    case 'rate_limited':
    case 'overloaded':
    case 'unavailable':
    case 'disk_full':
    case 'rejected':
      return exitCodes.unavailable;
  }
}
