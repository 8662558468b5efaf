import { context, trace } from '@opentelemetry/api';
import { tracing } from '@opentelemetry/sdk-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { traced } from '../../runtime/tracing.ts';

const exporter = new tracing.InMemorySpanExporter();
beforeAll(() => {
  trace.setGlobalTracerProvider(
    new tracing.BasicTracerProvider({ spanProcessors: [new tracing.SimpleSpanProcessor(exporter)] }),
  );
});
afterAll(() => {
  trace.disable();
  context.disable();
});

test('a step becomes a span of the registered SDK, a failed one with its error type and without its message', async () => {
  await expect(traced('custody.step', { count: 2 }, () => Promise.resolve('done'))).resolves.toBe('done');
  await expect(traced('custody.step', {}, () => Promise.reject(new TypeError('secret')))).rejects.toThrow(
    'secret',
  );
  const [done, failed] = exporter.getFinishedSpans();
  expect(done).toMatchObject({ name: 'custody.step', attributes: { count: 2 } });
  expect(failed).toMatchObject({ attributes: { 'error.type': 'TypeError' }, status: { code: 2 } });
  expect(JSON.stringify([failed?.attributes, failed?.events, failed?.status])).not.toContain('secret');
});
