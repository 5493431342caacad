/** The first start. */
import { words } from "@/lib/i18n";

export const t = words({
  en: {
    title: "Welcome to CoBox",
    one: "CoBox keeps folders on your machine and on those of people you trust.",
    two: "Everything is encrypted before it leaves this machine, and no company stands in the middle.",
    three: "Whatever happens to one machine, the others still have it.",
    name: "How do you want to be known to your friends?",
    nameHint: "Everybody in your spaces sees this name. You can change it at any time.",
    namePlaceholder: "Your name",
    wantPassword: "Protect this page with a password",
    password: "Password",
    passwordHint: "At least 8 characters. Without one, only programs of your own user account on this machine get in.",
    go: "Begin",
    restore: "Been here before?",
    restoreHint: "With your paper key or your backup file you get everything back: your name, your spaces, your files.",
    restoreDo: "Restore from a paper key or backup file",
    greeting: "Good to see you, {name}.",
  },
  de: {
    title: "Willkommen bei CoBox",
    one: "CoBox bewahrt Ordner auf deinem Rechner auf und auf denen von Menschen, denen du vertraust.",
    two: "Alles wird verschlüsselt, bevor es diesen Rechner verlässt, und keine Firma steht dazwischen.",
    three: "Was auch immer einem Rechner zustößt: Die anderen haben noch alles.",
    name: "Wie sollen dich deine Freunde kennen?",
    nameHint: "Alle in deinen Spaces sehen diesen Namen. Du kannst ihn jederzeit ändern.",
    namePlaceholder: "Dein Name",
    wantPassword: "Diese Seite mit einem Passwort schützen",
    password: "Passwort",
    passwordHint: "Mindestens 8 Zeichen. Ohne Passwort kommen nur Programme deines eigenen Benutzerkontos auf diesem Rechner herein.",
    go: "Anfangen",
    restore: "Schon einmal hier gewesen?",
    restoreHint: "Mit deinem Papierschlüssel oder deiner Sicherungsdatei bekommst du alles zurück: Namen, Spaces, Dateien.",
    restoreDo: "Aus Papierschlüssel oder Sicherungsdatei wiederherstellen",
    greeting: "Schön, dich zu sehen, {name}.",
  },
});
