import type { Alert } from '../../schemas/alert.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { uuidOf } from '../detectors/sessions.ts';

/** What the log holds when somebody says that an alert was a false alarm; whose event it is and when is the caller's to add. */
export function dismissal({
  alert_id,
  incident_id = alert_id,
}: Alert): Pick<CustodyEvent, 'event_id' | 'kind' | 'incident'> {
  return {
    event_id: uuidOf(`dismissed ${alert_id}`),
    kind: 'incident',
    incident: { incident_id, disposition: 'false_positive', changed_by: 'jo' },
  };
}
