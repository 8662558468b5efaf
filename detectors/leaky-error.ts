import type { DetectConfig } from '../schemas/config.ts';
import { countFound, foundText, typesFound } from './content/data-classes.ts';
import type { Detector, ResultCategory } from './detector.ts';
import { tellOnce, type ToldLately } from './learning/told-lately.ts';
import { contentReferences } from './references-content.ts';
import { capital, shown } from './wording.ts';

const leaks: Readonly<Record<string, string>> = {
  stack_trace: 'a stack trace',
  internal_path: 'a path of the server',
  sql_error: 'an error of the database with its SQL',
  infrastructure_detail: 'details of the infrastructure',
};
const failed: ReadonlySet<ResultCategory | undefined> = new Set<ResultCategory>([
  'error',
  'tool_error',
  'denied',
  'rate_limited',
  'timeout',
]);

/** An error tells whoever reads it how the server is built: stack traces, paths, SQL, infrastructure, secrets. */
export function leakyError(config: DetectConfig['leaky_error']): Detector<ToldLately, undefined> {
  return {
    id: 'leaky-error',
    version: 1,
    kinds: ['tool_call', 'mcp_message', 'api_call'],
    newTenantState: () => new Map(),
    newSessionState: () => undefined,

    step({ event, call, timeMs }, { tenant }, raise) {
      const { result } = event;
      if (result === undefined || !failed.has(result.category ?? call?.category)) return;
      const told = Object.keys(leaks).filter((leak) => (result.shapes?.[leak] ?? 0) > 0);
      const secrets = typesFound(result.findings, 'secret');
      if (told.length === 0 && secrets.length === 0) return;
      const tool = call?.toolKey ?? event.tool?.name ?? event.server?.name ?? event.mcp?.method ?? '';
      const withSecrets = secrets.length > 0;
      const parts = told.map((leak) => leaks[leak] ?? leak);
      if (withSecrets) parts.push(`secrets (${foundText(result.findings, secrets)})`);
      const matter = `${tool}\n${told.join(' ')}\n${withSecrets}`;
      if (!tellOnce(tenant, matter, timeMs, config.again_ms)) return;
      const observed = `an error of ${shown(tool, 200)} shows ${parts.join(', ')}`;
      const normal = 'errors say what went wrong without telling how the server is built';
      raise({
        title: withSecrets ? 'Error with a secret in it' : 'Error tells how the server is built',
        severity: withSecrets ? 'medium' : 'low',
        score: withSecrets ? 0.8 : 0.4,
        reason: `${capital(observed)}. Agents pass on what they read, and attackers provoke errors to learn.`,
        observed,
        normal,
        distance: `${parts.length} kinds of detail, ${countFound(result.findings, 'secret')} secrets`,
        dedupKey: `leak ${tool} ${told.join(' ')}${withSecrets ? ' secret' : ''}`,
        references: contentReferences['leaky-error'],
      });
    },
  };
}
