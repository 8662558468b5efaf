#!/usr/bin/env node
// chDB, LMDB and gzip share the libuv pool: a few long analyst queries must not leave ingestion without a thread.
// The variable is read when the pool is first used, so it is set before anything else is loaded.
process.env['UV_THREADPOOL_SIZE'] ??= '16';

const { run } = await import('./program.ts');
process.exitCode = await run(process.argv);
