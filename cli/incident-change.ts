import { Argument, type Command } from 'commander';
import type { ChangeRequest } from '../pipeline/incident-change.ts';
import { ConfigError } from '../runtime/errors.ts';
import type { Config } from '../schemas/config.ts';
import {
  disposition,
  incidentNote,
  incidentStatus,
  type Disposition,
  type IncidentStatus,
} from '../schemas/incident.ts';
import { askAdmin, type AdminOptions } from './admin-access.ts';
import { configOf, withCommonOptions, type CommonOptions } from './options.ts';
import { terminalText } from './terminal-text.ts';

interface ChangeOptions extends CommonOptions, AdminOptions {
  readonly note?: string;
}

/** Finds the incident whose id begins so. */
export type FindIncident = (config: Config, id: string) => Promise<{ readonly incident_id: string }>;

/** Adds the commands that change an incident, each by one record in the log. */
export function addChangeCommands(incident: Command, find: FindIncident): void {
  const change = async (id: string, asked: ChangeRequest, options: ChangeOptions) => {
    checkNote(options.note);
    const config = configOf(options);
    const known = /^[0-9a-f-]{36}$/i.test(id) || options.admin !== undefined;
    const { incident_id } = known ? { incident_id: id } : await find(config, id);
    const answer = await askAdmin(config, options, {
      method: 'POST',
      path: `/v1/incidents/${encodeURIComponent(incident_id)}`,
      body: { ...asked, ...(options.note === undefined ? {} : { note: options.note }) },
    });
    process.stdout.write(
      options.json === true
        ? `${JSON.stringify(answer)}\n`
        : `${incident_id}: ${terminalText(saidOf(answer))}\n`,
    );
  };
  const command = (name: string) =>
    withCommonOptions(incident.command(name))
      .addArgument(new Argument('<id>', 'its id, or how it begins'))
      .option('--note <text>', 'why; secrets and e-mail addresses in it are redacted')
      .option('--as <name>', 'use the token of this name (admin.tokens)')
      .option(
        '--admin <url>',
        'admin endpoint of a process with the role ledger (default: the pipeline that runs here)',
      );

  command('assign')
    .description('say who works on it')
    .addArgument(new Argument('[who]', 'a person or a team'))
    .option('--nobody', 'take the assignment back')
    .action(
      async (id: string, who: string | undefined, options: ChangeOptions & { readonly nobody?: boolean }) => {
        if ((who === undefined) === (options.nobody !== true))
          throw new ConfigError('cannot assign the incident: name somebody, or say --nobody');
        await change(id, { assignee: who ?? '' }, options);
      },
    );
  command('status')
    .description('say where work on it stands; a resolved one takes no more alerts')
    .addArgument(new Argument('<status>').choices(incidentStatus.options))
    .action((id: string, status: IncidentStatus, options: ChangeOptions) => change(id, { status }, options));
  command('disposition')
    .description('say whether the detectors were right; a dismissal lets its sessions be learned from')
    .addArgument(new Argument('<disposition>').choices(disposition.options))
    .option('--resolve', 'and set its status to resolved')
    .action((id: string, said: Disposition, options: ChangeOptions & { readonly resolve?: boolean }) =>
      change(id, { disposition: said, ...(options.resolve === true ? { status: 'resolved' } : {}) }, options),
    );
  command('note')
    .description('add a note')
    .addArgument(new Argument('<text>', 'secrets and e-mail addresses in it are redacted'))
    .action((id: string, note: string, options: ChangeOptions) => change(id, {}, { ...options, note }));
}

/** Before anybody is asked: it needs no running pipeline to say so. */
function checkNote(note: string | undefined): void {
  const issue = incidentNote.optional().safeParse(note).error?.issues[0];
  if (issue !== undefined)
    throw new ConfigError(`cannot change the incident: the note ${issue.message}`, { path: 'note' });
}

/** What was recorded, as the endpoint answered. */
function saidOf(answer: unknown): string {
  const { change = {} } = answer as { change?: Record<string, unknown> };
  return ['status', 'assignee', 'disposition', 'note', 'changed_by']
    .flatMap((name) =>
      typeof change[name] === 'string' ? [`${name} ${change[name] === '' ? 'nobody' : change[name]}`] : [],
    )
    .join(', ');
}
