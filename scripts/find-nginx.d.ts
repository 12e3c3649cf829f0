export function findNginx (env?: Record<string, string | undefined>): { path?: string, problem?: string }
