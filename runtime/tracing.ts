import { SpanStatusCode, trace, type Attributes } from '@opentelemetry/api';

const tracer = trace.getTracer('mcp-custody');

/**
 * Runs one step of the pipeline as a span. Costs next to nothing unless the operator registers an OpenTelemetry SDK
 * (`node --import <sdk>`). Attributes are names and counts, never payloads.
 */
export function traced<T>(name: string, attributes: Attributes, step: () => Promise<T>): Promise<T> {
  return tracer.startActiveSpan(name, { attributes }, async (span) => {
    try {
      return await step();
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      span.setAttribute('error.type', error instanceof Error ? error.name : 'unknown');
      throw error;
    } finally {
      span.end();
    }
  });
}
