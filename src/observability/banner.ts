/** What an admin wants to know when the server is up. */
export interface BannerFacts {
  readonly httpUrl: string;
  readonly httpsUrl?: string | undefined;
  /** Without application, e.g. `rtmp://192.0.2.1:1935`. */
  readonly rtmpUrl: string;
  /** Secrets made just now; those that exist already are not shown again. */
  readonly newSecrets: { readonly adminToken?: string | undefined; readonly streamKey?: string | undefined };
  /** Where those are kept. */
  readonly secretsFile: string;
}

/** A few lines for a person at a terminal. It holds secrets at the first start: never log it. */
export function renderBanner({ httpUrl, httpsUrl, rtmpUrl, newSecrets, secretsFile }: BannerFacts): string {
  const { adminToken, streamKey } = newSecrets;
  const lines = [
    '',
    'Laddercast is ready.',
    `  Dashboard     ${httpUrl}/`,
    ...(httpsUrl === undefined ? [] : [`  over TLS      ${httpsUrl}/`]),
    `  OBS server    ${rtmpUrl}/live`,
    `  Stream key    NAME?key=${streamKey ?? 'SECRET'}`,
    `  Watch page    ${httpUrl}/watch/live/NAME`,
  ];
  if (adminToken !== undefined) lines.push(`  Admin token   ${adminToken}`);
  if (adminToken !== undefined || streamKey !== undefined) {
    lines.push(`  These secrets are shown only this once; they are kept in ${secretsFile}`);
  }
  return `${lines.join('\n')}\n\n`;
}
