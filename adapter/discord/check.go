package discord

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"github.com/starlingbot/starling/adapter"
)

// needed are the permissions that everything here needs
// (https://discord.com/developers/docs/topics/permissions#permissions-bitwise-permission-flags).
var needed = [...]struct {
	bit  int64
	name string
}{
	{discordgo.PermissionViewChannel, "View Channels"},
	{discordgo.PermissionSendMessages, "Send Messages"},
	{discordgo.PermissionSendMessagesInThreads, "Send Messages in Threads"},
	{discordgo.PermissionCreatePublicThreads, "Create Public Threads"},
	{discordgo.PermissionEmbedLinks, "Embed Links"},
	{discordgo.PermissionAttachFiles, "Attach Files"},
	{discordgo.PermissionReadMessageHistory, "Read Message History"},
	{discordgo.PermissionAddReactions, "Add Reactions"},
}

// Permissions is the sum of the permissions that a bot needs. Setting topics needs Manage Channels beside them, and mass
// mentions Mention Everyone.
func Permissions() int64 {
	var sum int64
	for _, p := range needed {
		sum |= p.bit
	}
	return sum
}

// Invite gives the address that adds the application with this id to a server, with slash commands and [Permissions].
func Invite(clientID string) string {
	q := url.Values{"client_id": {clientID}, "scope": {"bot applications.commands"}, "permissions": {strconv.FormatInt(Permissions(), 10)}}
	return "https://discord.com/oauth2/authorize?" + q.Encode()
}

// Check implements [adapter.Checker]: the token, the privileged intents, the permissions in each server, how many sessions
// may be begun today, the public key, the clock. The error joins all that is wrong, each with its cure; nil if Run would
// work now.
func (a *Adapter) Check(ctx context.Context) error {
	if err := a.life.Usable(ctx, "check"); err != nil {
		return err
	}
	if err := a.identify(ctx); err != nil {
		return err // nothing else can be asked
	}
	errs := []error{a.intents()}
	if !a.cfg.NoGateway {
		errs = append(errs, a.checkSessions(ctx), a.checkServers(ctx))
	}
	if a.verify != nil {
		if key := a.me.Load().key; key != "" && !slices.ContainsFunc(a.cfg.PublicKeys, func(k string) bool { return strings.EqualFold(k, key) }) {
			errs = append(errs, fmt.Errorf("discord: check the public key: %w: none of Config.PublicKeys is that of this application: copy the Public Key from its page General Information", adapter.ErrInvalid))
		}
		if skew := a.web.Skew(); skew.Abs() > time.Minute {
			errs = append(errs, fmt.Errorf("discord: the clock of this machine is off by %v: set it (NTP); over five minutes HTTP mode refuses all that Discord sends", -skew.Round(time.Second)))
		}
	}
	return errors.Join(errs...)
}

func (a *Adapter) checkSessions(ctx context.Context) error {
	bot, err := a.gatewayBot(ctx)
	if err != nil {
		return err
	}
	if bot.Limit.Remaining <= spareSessions && bot.Limit.Total > 0 {
		return fmt.Errorf("discord: check the gateway: %w: all %d sessions of today are used up: something connects again and again; the next ones come in %v",
			adapter.ErrForbidden, bot.Limit.Total, (time.Duration(bot.Limit.ResetAfter) * time.Millisecond).Round(time.Second))
	}
	return nil
}

// ownGuild is a server as the list of the bot's own has it.
type ownGuild struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Permissions string `json:"permissions"`
}

// ownGuilds lists the servers that the bot is in.
func (a *Adapter) ownGuilds(ctx context.Context) ([]ownGuild, error) {
	var all []ownGuild
	after := ""
	for range maxPages {
		var page []ownGuild
		if err := a.call(ctx, "list the servers", http.MethodGet, "users/@me/guilds?limit=200"+after, nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < 200 {
			break
		}
		after = "&after=" + page[len(page)-1].ID
	}
	return all, nil
}

func (a *Adapter) checkServers(ctx context.Context) error {
	list, err := a.ownGuilds(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, g := range list {
		has, err := strconv.ParseInt(g.Permissions, 10, 64)
		if err != nil || has&discordgo.PermissionAdministrator != 0 {
			continue
		}
		var missing []string
		for _, p := range needed {
			if has&p.bit == 0 {
				missing = append(missing, p.name)
			}
		}
		if len(missing) > 0 {
			errs = append(errs, fmt.Errorf("discord: check the server %q: %w: the bot lacks %s: give them to its role in the server's settings, Roles", g.Name, adapter.ErrForbidden, strings.Join(missing, ", ")))
		}
	}
	for _, id := range a.cfg.Guilds {
		if !slices.ContainsFunc(list, func(g ownGuild) bool { return g.ID == id }) {
			errs = append(errs, fmt.Errorf("discord: check the servers: %w: the bot is not in the server %s of Config.Guilds: open %s", adapter.ErrForbidden, id, Invite(a.me.Load().app)))
		}
	}
	if len(list) == 0 {
		errs = append(errs, fmt.Errorf("discord: check the servers: %w: the bot is in no server: open %s", adapter.ErrForbidden, Invite(a.me.Load().app)))
	}
	return errors.Join(errs...)
}
