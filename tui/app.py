"""The dashboard: which cabinets there are, which keys open them, who is signed in. What they show is theirs."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.events import Resize
from textual.screen import Screen
from textual.theme import ThemeProvider

from state.errors import WattestError
from tui.account import HOLDER, OWNER, Account, introduce
from tui.desk import Desk
from tui.directory import Cabinet, cabinet_for, cabinets, entrance
from tui.feed import Feed, Source
from tui.habits import Habits
from tui.messages import GoTo, LeaveReplay, OpenCabinet
from tui.model import NetworkModel
from tui.replaying import TICK_S, Replaying
from tui.screens.going import GoingScreen
from tui.screens.help import HelpScreen
from tui.screens.small import SmallScreen, too_small
from tui.story import StoryControl
from tui.texts import DEFAULT, LANGUAGES, language, said, speak, t
from tui.themes import CALM, THEMES
from tui.widgets.cabinets import CabinetBar
from tui.widgets.lines import StatusLine
from tui.zone import choose, chosen

TEXTUALS_KEYS = "Keys"
FURNISH_S = 0.05  # after the start: the first picture stands by then
REVEAL_S = 10.0  # between two looks whether sealed orders of the home are to be opened
KEEP_S = 3.0  # between two looks whether something was chosen that is to be kept


def run_dashboard(
    node_urls: list[str],
    story: StoryControl | None = None,
    as_role: str | None = None,
    home: Path | None = None,
    served: bool = False,
    tongue: str = DEFAULT,
    habits: Habits | None = None,
) -> None:
    """Show the network behind these API addresses until `q` or Ctrl-C. Blocks; owns the terminal and its signals.

    `story` adds the caption, the pace and the validator that can be killed; `home` holds the keys that can sign in, and
    `as_role` is the name of the one that does. `served`: somebody at a browser sits before it. `tongue`: en, ru or zh.
    `habits`: what was chosen the last time; what is chosen now is kept there.
    """
    speak(tongue)
    app = Dashboard(node_urls, story, as_role, home=home, habits=habits)
    app.desk.sealed_only = served
    app.run()


class Dashboard(App[None]):
    TITLE = "wattest"
    CSS_PATH = "theme.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
        Binding("question_mark", "help", "Keys and marks"),
        Binding("S", "account", "Sign in, or out"),
        Binding("R", "replay", "Replay: the network as it was"),
    ]

    def __init__(
        self,
        node_urls: list[str],
        story: StoryControl | None = None,
        as_role: str | None = None,
        source: Source | None = None,
        home: Path | None = None,
        habits: Habits | None = None,
    ) -> None:
        super().__init__()
        model = NetworkModel(public_url=node_urls[0])
        self.desk = Desk(model, Feed(node_urls, model) if source is None else source, story, home)
        self.desk.habits = habits or Habits()
        self.desk.drafts = self.desk.habits.drafts
        self.cabinets: tuple[Cabinet, ...] = (entrance(),)  # the others are loaded behind the first paint
        self._as = as_role
        self._replaying = Replaying(self)
        self._bears = False  # a terminal that is too small
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = self.desk.habits.theme if self.desk.habits.theme in self.available_themes else CALM.name

    def _maker(self, make: Callable[[Desk], Screen[None]]) -> Callable[[], Screen[None]]:
        return lambda: make(self.desk)

    @property
    def model(self) -> NetworkModel:
        return self.desk.model

    @property
    def source(self) -> Source:
        return self.desk.source

    @source.setter
    def source(self, source: Source) -> None:
        self.desk.source = source

    def on_mount(self) -> None:
        self.add_mode(self.cabinets[0].mode, self._maker(self.cabinets[0].make))
        self.switch_mode(self.cabinets[0].mode)
        self.set_timer(FURNISH_S, self._furnish)

    def on_resize(self, event: Resize) -> None:
        self.call_later(self._fit, too_small(event.size.width, event.size.height))

    def _fit(self, small: bool) -> None:
        if small and not self._bears and not isinstance(self.screen, SmallScreen):
            self._bears = True  # said once, until there was room again
            self.push_screen(SmallScreen())
        elif not small:
            self._bears = False
            if isinstance(self.screen, SmallScreen):
                self.screen.dismiss()

    def _furnish(self) -> None:
        """Behind the first paint: the other cabinets with their keys, the feed, who signs in."""
        first, self.cabinets = self.cabinets[0], cabinets()
        for cabinet in self.cabinets:
            self.bind(cabinet.key, f"cabinet('{cabinet.mode}')", description=cabinet.title, show=False)
            if cabinet.mode != first.mode:
                self.add_mode(cabinet.mode, self._maker(cabinet.make))
        self._tell_bar()
        self.set_interval(0.5, self._tell_bar)
        self.set_interval(TICK_S, self._replaying.tick)
        self.set_interval(KEEP_S, self._keep)
        self.set_interval(REVEAL_S, self._reveal)
        self.run_worker(self._follow(), name="feed")
        kept = [cabinet.mode for cabinet in self.cabinets if cabinet.mode == self.desk.habits.cabinet]
        if kept and self._as is None:
            self.action_cabinet(kept[0])
        if self._as is not None and self.desk.home is not None:
            self._sign_in(self._as, self.desk.home)

    async def _follow(self) -> None:
        await self.desk.source.run()

    def _keep(self) -> None:
        """A few seconds after something was chosen, and at the end, it is on the disk."""
        habits = self.desk.habits
        habits.theme, habits.language, habits.zone = self.theme, language(), chosen()
        habits.cabinet = self.current_mode if self.current_mode != "_default" else ""
        habits.keep()

    def on_unmount(self) -> None:
        self._keep()

    # --- cabinets

    def _tell_bar(self) -> None:
        account = self.desk.account
        who = (
            t("looking on, S signs in")
            if account is None
            else account.name or t("{key_name}, not registered", key_name=account.key_name)
        )
        if account is not None and account.locked:
            who += " " + t("(locked)")
        for line in self.screen.query(StatusLine):
            line.cabinets = " ".join(cabinet.key for cabinet in self.cabinets)
        for bar in self.screen.query(CabinetBar):
            bar.names = tuple((cabinet.key, cabinet.title) for cabinet in self.cabinets)
            bar.chosen = next(cabinet.title for cabinet in self.cabinets if cabinet.mode == self.current_mode)
            bar.who = who

    def action_cabinet(self, mode: str) -> None:
        """Not from within a form or another window above a cabinet: there letters are text."""
        if len(self.screen_stack) == 1:
            self.switch_mode(mode)
            self.call_after_refresh(self._tell_bar)

    def on_open_cabinet(self, message: OpenCabinet) -> None:
        self.action_cabinet(next(cabinet.mode for cabinet in self.cabinets if cabinet.title == message.title))

    def get_system_commands(self, screen: Screen[None]) -> Iterable[SystemCommand]:
        for command in super().get_system_commands(screen):
            if command.title == TEXTUALS_KEYS:  # it names bindings in English; `?` says them all
                continue
            yield SystemCommand(t(command.title, "palette"), t(command.help, "palette"), command.callback)
        for cabinet in self.cabinets:
            yield SystemCommand(t(cabinet.title), t("cabinet {key}", key=cabinet.key), self._opener(cabinet.mode))
        for code, name in LANGUAGES.items():
            yield SystemCommand(name, t("the language of the screens"), self._speaker(code))
        yield SystemCommand(t("Time zone"), t("UTC, local or any other; now {zone}", zone=chosen()), self.action_zone)
        yield SystemCommand(t("Replay"), t("the network, a portfolio or an auction as it was"), self.action_replay)
        yield SystemCommand(t("Keys and marks"), t("what every key does, and what the signs mean"), self.action_help)
        yield SystemCommand(t("Sign in, or out"), t("choose a wallet key of the home"), self.action_account)

    def action_command_palette(self) -> None:
        """Textual's own, whose prompt is in the language."""
        if not any(isinstance(screen, CommandPalette) for screen in self.screen_stack):
            prompt = t("Search for commands…", "palette")
            self.push_screen(CommandPalette(placeholder=prompt, id="--command-palette"))

    def search_themes(self) -> None:
        self.push_screen(CommandPalette([ThemeProvider], placeholder=t("Search for themes…", "palette")))

    def _speaker(self, tongue: str) -> Callable[[], None]:
        return lambda: self.speak(tongue)

    def speak(self, tongue: str) -> None:
        """The cabinets are built anew in that language, once no window stands above one."""
        if len(self.screen_stack) == 1:
            speak(tongue)
            self._rebuild()

    def action_zone(self) -> None:
        if len(self.screen_stack) == 1:
            from tui.screens.zone import ZoneScreen

            self.push_screen(ZoneScreen(), self._zoned)

    def _zoned(self, name: str | None) -> None:
        if name is not None and name != chosen():
            choose(name)
            self._rebuild()

    @work
    async def _rebuild(self) -> None:
        mode = self.current_mode
        self.desk.model.version += 1
        for cabinet in self.cabinets:
            if cabinet.mode != mode:
                await self.remove_mode(cabinet.mode)
                self.add_mode(cabinet.mode, self._maker(cabinet.make))
        other = next(cabinet for cabinet in self.cabinets if cabinet.mode != mode)
        await self.switch_mode(other.mode)
        await self.remove_mode(mode)
        self.add_mode(mode, self._maker(next(cabinet.make for cabinet in self.cabinets if cabinet.mode == mode)))
        await self.switch_mode(mode)
        self.call_after_refresh(self._tell_bar)

    def _opener(self, mode: str) -> Callable[[], None]:
        return lambda: self.action_cabinet(mode)

    # --- the past

    def action_replay(self) -> None:
        if len(self.screen_stack) == 1:
            self._replaying.begin()

    def on_leave_replay(self, message: LeaveReplay) -> None:
        self._replaying.end()

    def on_go_to(self, message: GoTo) -> None:
        replay = self.desk.replay
        if replay is not None and len(self.screen_stack) == 1:
            self.push_screen(GoingScreen(replay), lambda height: None if height is None else replay.want(height))

    # --- what the wallet does by itself

    @work(thread=True, exit_on_error=False, exclusive=True, group="reveal")
    def _reveal(self) -> None:
        """Sealed orders of this home that only it can open, while there is time for it."""
        if self.desk.home is None or self.desk.sealed_only or self.desk.replay is not None:
            return
        from node.revealing import reveal_kept

        client = self.desk.client()
        try:
            handed_in = reveal_kept(self.desk.home, client)
        except WattestError:
            return  # the next turn may find a node that answers
        finally:
            client.close()
        for auction, order in handed_in:
            words = t("your sealed order {order} of session {number} is being opened", order=order, number=auction)
            self.call_from_thread(self.notify, words, timeout=6)

    # --- who is signed in

    def action_account(self) -> None:
        if self.desk.home is None:
            self.notify(t("Start with --home DIR to sign in with a key of that home."), severity="warning", timeout=5)
        elif len(self.screen_stack) == 1:
            from tui.screens.account import AccountScreen

            self.push_screen(AccountScreen(self.desk, self.desk.home), self._signed_in)

    def _signed_in(self, account: Account | None) -> None:
        if account is None:
            self._tell_bar()
            return
        self.desk.account = account
        self._tell_bar()
        if not account.id and self.desk.replay is None:
            from tui.deeds.people import register_form
            from tui.screens.form import FormScreen

            self.push_screen(FormScreen(self.desk, register_form(account)), self._registered)
            return
        self._lead(account)

    def _registered(self, done: bool | None) -> None:
        if done and self.desk.account is not None and self.desk.home is not None:
            self._sign_in(self.desk.account.key_name, self.desk.home)

    def _lead(self, account: Account) -> None:
        """To the cabinet that fits: accreditations first, then plants, then holdings."""
        roles = (HOLDER, *((OWNER,) if account.owns else ()), *account.roles)
        found = cabinet_for(account.roles, self.cabinets) or cabinet_for(roles[1:2], self.cabinets)
        found = found or cabinet_for((HOLDER,), self.cabinets)
        if found is not None:
            self.action_cabinet(found.mode)

    @work(thread=True, exit_on_error=False)
    def _sign_in(self, key_name: str, home: Path) -> None:
        """As the command line said: look on as this key; its passphrase is asked for when something is signed."""
        found = [account for account in self.desk.accounts() if account.key_name == key_name]
        if not found:
            self.call_from_thread(
                self.notify,
                t("{home} has no wallet key {key_name!r}.", home=home, key_name=key_name),
                severity="error",
                timeout=8,
            )
            return
        account = found[0]
        try:
            client = self.desk.client()
            try:
                introduce(client, account)
            finally:
                client.close()
            if not account.needs_passphrase():
                account.unlock("")
        except WattestError as error:
            self.call_from_thread(self.notify, said(error), severity="error", timeout=8)
            return
        self.call_from_thread(self._signed_in, account)

    def action_help(self) -> None:
        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.desk.story is not None))
