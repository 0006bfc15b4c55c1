export const apiAtLeast = (a: string, b: string): boolean => Number(a.split('.')[1]) >= Number(b.split('.')[1]);
