/** `created` of everything in a base, by which what is the base's is told from what was built on it. */
export const BASE_TIME = '2002-02-02T02:02:02Z';

export const BASE_EPOCH = String(Date.parse(BASE_TIME) / 1000);

/** `created_by` of every entry in the histories of the bases: what a build adds without making a layer has the base's time, too. */
export const baseHistory: Set<string> = new Set();
