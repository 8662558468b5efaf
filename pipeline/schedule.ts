import { schedule as cronSchedule, validate } from 'node-cron';
import { ConfigError } from '../runtime/errors.ts';
import type { Component } from '../runtime/component.ts';
import type { Logger } from '../runtime/logger.ts';

export interface Job {
  readonly name: string;
  /** Five-field cron expression in local time; empty = never. */
  readonly cron: string;
  readonly run: () => Promise<void>;
}

/** Housekeeping by the clock: log retention, self-verification. One run of a job at a time; failures are logged. */
export function createSchedule(jobs: readonly Job[], logger: Logger): Component {
  for (const job of jobs) {
    if (job.cron !== '' && !validate(job.cron)) {
      throw new ConfigError(
        `cannot schedule ${job.name}: "${job.cron}" is not a cron expression of five fields`,
      );
    }
  }
  let tasks: ReturnType<typeof cronSchedule>[] = [];
  return {
    name: 'schedule',
    start() {
      tasks = jobs
        .filter((job) => job.cron !== '')
        .map((job) =>
          cronSchedule(
            job.cron,
            async () => {
              try {
                await job.run();
              } catch (error) {
                logger.error({ job: job.name, err: error }, 'scheduled job failed');
              }
            },
            { noOverlap: true, name: job.name },
          ),
        );
      return Promise.resolve();
    },
    async stop() {
      for (const task of tasks) await task.stop();
      tasks = [];
    },
  };
}
