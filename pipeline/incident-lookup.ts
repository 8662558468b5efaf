import type { z } from 'zod';
import {
  incidentAlertRow,
  incidentAlertsStatement,
  incidentChangeRow,
  incidentChangesStatement,
  incidentRow,
  incidentsStatement,
  incidentStatement,
  type IncidentAlertRow,
  type IncidentChangeRow,
  type IncidentFilter,
  type IncidentRow,
} from './incident-query.ts';

/** Puts one statement to the store and reads the rows of its answer. */
export type ReadRows = <Row>(schema: z.ZodType<Row>, statement: string) => Promise<Row[]>;

/** What is known of one incident. */
export interface IncidentDetail {
  readonly incident: IncidentRow;
  readonly alerts: readonly IncidentAlertRow[];
  readonly changes: readonly IncidentChangeRow[];
}

/** The incidents asked for, the most pressing first. */
export function listIncidents(read: ReadRows, filter: IncidentFilter): Promise<IncidentRow[]> {
  return read(incidentRow, incidentsStatement(filter));
}

/** Incidents whose id begins so, at most two; of one tenant where it is given. */
export function findIncidents(read: ReadRows, idBegin: string, tenant?: string): Promise<IncidentRow[]> {
  return read(incidentRow, incidentStatement(idBegin, tenant));
}

/** The incident with its alerts and changes, each in the order of the log. */
export async function incidentDetail(read: ReadRows, incident: IncidentRow): Promise<IncidentDetail> {
  const alerts = await read(incidentAlertRow, incidentAlertsStatement(incident));
  const changes = await read(incidentChangeRow, incidentChangesStatement(incident));
  return { incident, alerts, changes };
}
