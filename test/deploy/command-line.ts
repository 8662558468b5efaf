import type { Command } from 'commander';
import { migrateCommand } from '../../cli/migrate.ts';
import { startCommand } from '../../cli/start.ts';
import { topicsCommand } from '../../cli/topics.ts';
import { refuseImpossibleRoles, ROLES, type Role } from '../../pipeline/roles.ts';
import type { Config } from '../../schemas/config.ts';

const commands: Readonly<Record<string, () => Command>> = {
  start: startCommand,
  migrate: migrateCommand,
  topics: () => topicsCommand(() => undefined),
};

/**
 * Holds a container's arguments against the real command line.
 * @throws Error for a command, an option or a role there is not, or a role that this configuration cannot run.
 */
export function checkCommandLine(args: readonly string[], config: Config): void {
  const [name = '', ...rest] = args;
  const command = commands[name]?.();
  if (command === undefined) throw new Error(`cannot run ${name}: the deployment uses no such command`);
  const { operands, unknown } = command.parseOptions([...rest]);
  if (operands.length + unknown.length > 0) {
    throw new Error(`cannot run ${name}: it does not take ${[...operands, ...unknown].join(' ')}`);
  }
  if (name !== 'start') return;
  const { role: names = [] } = command.opts<{ role?: readonly string[] }>();
  const wrong = names.find((role) => !(ROLES as readonly string[]).includes(role));
  if (wrong !== undefined) throw new Error(`cannot start role ${wrong}: there is none`);
  refuseImpossibleRoles(config, new Set(names.length === 0 ? ROLES : (names as readonly Role[])));
}
