export const imageNodeVersion: string
export function findImageNode (env?: Record<string, string | undefined>): { path?: string, problem?: string }
