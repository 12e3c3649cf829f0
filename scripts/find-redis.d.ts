export function findRedis (env?: Record<string, string | undefined>): { path?: string, problem?: string }
