/**
 * A language tag (BCP 47) for what a file says, e.g. `de` for `ger`, `deu` and `de`; `undefined` if that is no language.
 */
export function languageOf(text: string | undefined): string | undefined {
  const tag = text?.trim().replaceAll('_', '-') ?? '';
  if (!/^[a-z]{2,3}(-[a-z0-9]{1,8}){0,3}$/i.test(tag)) return undefined;
  try {
    const [language] = Intl.getCanonicalLocales(tag);
    return language === undefined || /^(und|mul|mis|zxx|q[a-t][a-z])(-|$)/.test(language) ? undefined : language;
  } catch {
    return undefined;
  }
}

/** What a file calls a track, fit to be shown: one line, without control characters, bounded; `undefined` if nothing is left. */
export function trackTitleOf(text: string | undefined): string | undefined {
  const line = text
    ?.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\ufffd]+/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return line?.match(/^.{1,100}/u)?.[0].trim();
}
