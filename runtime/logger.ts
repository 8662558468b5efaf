import { pino, type Logger } from 'pino';

export type { Logger };

export interface LoggerOptions {
  readonly level: 'silent' | 'error' | 'warn' | 'info' | 'debug';
}

/** JSON lines on stderr: stdout belongs to results and to the MCP stdio stream. Payloads are never logged. */
export function createLogger(options: LoggerOptions): Logger {
  return pino({ level: options.level, base: null }, pino.destination({ fd: 2, sync: false }));
}
