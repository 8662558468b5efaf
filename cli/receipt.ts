import { Command } from 'commander';
import type { SetExitCode } from './options.ts';
import { receiptGetCommand } from './receipt-get.ts';
import { receiptVerifyCommand } from './receipt-verify.ts';

/** `custody receipt`: receipts of tool calls, made from the ledger and verified away from it. */
export function receiptCommand(setExitCode: SetExitCode): Command {
  return new Command('receipt')
    .description('receipts of tool calls: make them from the ledger, verify them anywhere')
    .addHelpText(
      'after',
      `
Examples:
  custody receipt get call-42 --tenant acme --key receipts.key --out receipts
  custody receipt verify receipts/0c9d….receipt.json --trust trust.json --json
  custody receipt verify r.receipt.json --trust trust.json --purpose live --seen used --expect tool=write_file`,
    )
    .addCommand(receiptGetCommand())
    .addCommand(receiptVerifyCommand(setExitCode));
}
