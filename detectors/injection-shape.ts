import type { DetectConfig } from '../schemas/config.ts';
import {
  isConsequential,
  type CallFacts,
  type Detector,
  type Finding,
  type SourceFacts,
} from './detector.ts';
import {
  habitPercent,
  isEstablished,
  learnHabits,
  observeHabit,
  type Habits,
  type SessionHabits,
} from './learning/habits.ts';
import { contentReferences } from './references-content.ts';
import { capital, shown } from './wording.ts';

interface InjectionTenant {
  readonly habits: Habits;
  sessions: number;
}

interface InjectionSession {
  readonly tools: SessionHabits;
}

const forms: Readonly<Record<string, string>> = {
  path_traversal: 'a path that climbs out of its directory',
  sensitive_path: 'a path of keys, passwords or system files',
  sql_injection: 'SQL that breaks out of a value',
  command_injection: 'a shell command inside a value',
  template_injection: 'a template expression that runs code',
  code_injection: 'program code that runs other code',
  nosql_injection: 'an operator of a document store',
  ldap_injection: 'an LDAP filter that breaks out of a value',
  xpath_injection: 'an XPath that breaks out of a value',
  xml_entity: 'XML that declares or includes what stands elsewhere',
  serialized_object: 'a serialised object that runs code when it is read',
  file_scheme: 'a URL that reads files or speaks another protocol',
};
const formNames = Object.keys(forms);
const noForms: readonly string[] = [];
const paths = new Set(['path_traversal', 'sensitive_path']);
/** Named without harm in much work: the tool or the source must tell more. */
const mentions = new Set([
  'sensitive_path',
  'file_scheme',
  'nosql_injection',
  'xml_entity',
  'serialized_object',
]);
const fewSessions = 5;
/** A shorter value has no room for an attack. */
const minValueBytes = 6;

/** Arguments that have the form of an attack on what is behind the tool, and are not the tool's normal business. */
export function injectionShape(
  config: DetectConfig['injection_shape'],
): Detector<InjectionTenant, InjectionSession> {
  return {
    id: 'injection-shape',
    version: 1,
    kinds: ['tool_call'],
    newTenantState: () => ({ habits: new Map(), sessions: 0 }),
    newSessionState: () => ({ tools: new Map() }),

    step({ call, event, fresh, decision }, { tenant, session }, raise) {
      if (call === undefined || call.continuation) return;
      const shapes = event.arguments?.shapes;
      const found = shapes === undefined ? noForms : formNames.filter((form) => (shapes[form] ?? 0) > 0);
      if (fresh.call || found.length > 0)
        observeHabit(session.tools, call.toolHash, call.index, fresh.call, found);
      if (found.length === 0) return;
      const established = isEstablished(tenant.habits, call.toolHash, config.learning_sessions);
      const source = strangerIn(call);
      for (const form of found) {
        const percent = habitPercent(tenant.habits, call.toolHash, form);
        const usual = percent >= config.usual_percent;
        if (established && usual) continue;
        const becoming = usual && isEstablished(tenant.habits, call.toolHash, fewSessions);
        const is = { percent, established, becoming, refused: decision === 'deny', tenant };
        raise(describe(form, call, source, is));
      }
    },

    learn({ tenant, session }) {
      if (session.tools.size === 0) return;
      tenant.sessions += 1;
      learnHabits(tenant.habits, session.tools);
    },

    status: ({ sessions }) => ({ learning: sessions < config.learning_sessions, seen: sessions }),
  };
}

/** Where strangers may have written a value of the arguments. */
function strangerIn({ values }: CallFacts): SourceFacts | undefined {
  return values.find(({ source, sizeBytes }) => source?.untrusted === true && sizeBytes >= minValueBytes)
    ?.source;
}

interface Circumstances {
  readonly percent: number;
  readonly established: boolean;
  /** Known from a few sessions only, but in those such text was its business. */
  readonly becoming: boolean;
  readonly refused: boolean;
  readonly tenant: InjectionTenant;
}

function describe(
  form: string,
  call: CallFacts,
  source: SourceFacts | undefined,
  is: Circumstances,
): Finding {
  const { percent, established } = is;
  const habit = is.tenant.habits.get(call.toolHash);
  const observed =
    `the arguments of ${shown(call.toolKey)} hold ${forms[form] ?? form}` +
    (source === undefined
      ? ''
      : `, and a value that came from the result of ${shown(source.toolKey)} (untrusted)`);
  const normal =
    habit === undefined
      ? `${shown(call.toolKey)} is not known from any earlier session`
      : `${percent} % of ${habit.calls} calls of this tool in ${habit.sessions} sessions have this form`;
  return {
    title: paths.has(form) ? 'Path that should not be asked for' : 'Injection in arguments',
    severity: severityOf(form, call, source, is),
    score: source === undefined ? 0.7 : 0.9,
    reason: `${capital(observed)}; ${normal}.`,
    observed,
    normal,
    distance: established ? `${percent} % of its calls` : 'too few sessions of this tool to compare with',
    dedupKey: `${form} ${call.toolKey}`,
    ...(source === undefined ? {} : { evidence: [source.eventId] }),
    references: contentReferences['injection-shape'],
  };
}

/**
 * By what the tool can do and who may have written the value. A tool hardly known may have such text as its business
 * (a shell, a database): then only a stranger's text in it is more than a note.
 */
function severityOf(
  form: string,
  call: CallFacts,
  source: SourceFacts | undefined,
  { established, becoming, refused }: Circumstances,
): Finding['severity'] {
  if (becoming || (form === 'file_scheme' && !established)) return 'low';
  const acts = isConsequential(call.action) || call.traits.changesState || call.traits.egress;
  let level = 0;
  if (source !== undefined) level += 1;
  if (acts && (established || source !== undefined)) level += 1;
  if (mentions.has(form) && source === undefined && !call.traits.egress) level = 0;
  if (refused) level -= 1;
  return level >= 2 ? 'high' : level === 1 ? 'medium' : 'low';
}
