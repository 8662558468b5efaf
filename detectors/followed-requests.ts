/** Sessions that sent something out after a stranger's plain request, and those of them that went to a new place it named. */
export interface Requests {
  heard: number;
  followed: number;
}

/** Where agents write to people never met before, they do so in this many sessions, and in one of so many that hear requests. */
const usualSessions = 5;
const usualShare = 5;
/** Counts are halved at this, so that they follow a change. */
const memory = 1024;

export const newRequests = (): Requests => ({ heard: 0, followed: 0 });

export function learnRequests(usual: Requests, { heard, followed }: Requests): void {
  usual.heard += heard;
  usual.followed += followed;
  if (usual.heard < memory) return;
  usual.heard >>= 1;
  usual.followed >>= 1;
}

/** To write to whoever asks for it is what agents here are for. */
export function isUsualToFollow({ heard, followed }: Requests): boolean {
  return followed >= usualSessions && followed * usualShare >= heard;
}
