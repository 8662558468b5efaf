/** `custody tap …` alone, so that tests of the tap load nothing but the tap. */
import { Command } from 'commander';
import { tapCommand } from '../../cli/tap.ts';

await new Command('custody').addCommand(tapCommand()).parseAsync(process.argv);
