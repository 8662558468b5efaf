#!/usr/bin/env node
// chDB, LMDB and gzip share the libuv pool: a few long analyst queries must not leave ingestion without a thread.
// Node starts the pool before the first line of an ES module runs, hence this CommonJS entry.
process.env['UV_THREADPOOL_SIZE'] ??= '16';

void import('./program.ts').then(async ({ run }) => {
  process.exitCode = await run(process.argv);
  // The work is done and everything was closed; a connection that some library still holds must not keep the process.
  setTimeout(() => process.exit(), 2_000).unref();
});
