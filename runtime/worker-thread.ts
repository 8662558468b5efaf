import { Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * A thread that runs a module of ours, named by its URL without the ending: `new URL('./work', import.meta.url)`. From the
 * sources a worker needs tsx registered again: Node 20 does not hand loaders down to threads.
 */
export function startThread(module: URL, options: WorkerOptions): Worker {
  if (!import.meta.url.endsWith('.ts')) return new Worker(new URL(`${module.href}.js`), options);
  const loader = JSON.stringify(import.meta.resolve('tsx/esm/api'));
  const entry = JSON.stringify(`${module.href}.ts`);
  return new Worker(`import(${loader}).then((tsx) => (tsx.register(), import(${entry})))`, {
    ...options,
    eval: true,
  });
}
