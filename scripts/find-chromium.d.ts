export function findChromium (env?: Record<string, string | undefined>): { path?: string, problem?: string }
