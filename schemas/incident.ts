import { z } from 'zod';

export const incidentStatus = z.enum(['open', 'acknowledged', 'in_progress', 'resolved']);
/** Whether what the detectors said was right. `benign_true_positive`: it happened as told, and is wanted. */
export const disposition = z.enum([
  'undetermined',
  'true_positive',
  'false_positive',
  'benign_true_positive',
]);

/** A note as it is taken from outside: something that can be read. */
export const incidentNote = z
  .string()
  .max(2048, 'must have at most 2048 characters')
  .refine((text) => /[^\p{Z}\p{C}\p{DI}]/u.test(text), 'must not be empty or blank');

/** One change of an incident by a person or a system; absent members stay as they were. */
export const incidentChange = z.strictObject({
  /** `Alert.incident_id`. */
  incident_id: z.uuid(),
  status: incidentStatus.optional(),
  assignee: z.string().max(256).optional(),
  disposition: disposition.optional(),
  /** Wider than `incidentNote`: what is in a ledger already stays readable. */
  note: z.string().max(2048).optional(),
  /** Who did it; as the access layer knows, not as the text says. */
  changed_by: z.string().min(1).max(256),
});

export type IncidentChange = z.infer<typeof incidentChange>;
export type IncidentStatus = z.infer<typeof incidentStatus>;
export type Disposition = z.infer<typeof disposition>;
