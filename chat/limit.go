package chat

// Limit is one of the limits of a service, for monitoring.
type Limit uint8

// The limits. Each is a field of Limits, but for GuestLimit, which package api has.
const (
	NoLimit Limit = iota
	ConnectionRateLimit
	UserRateLimit
	AddressRateLimit
	UserBytesLimit
	AddressBytesLimit
	UserRoomsPerHourLimit
	UserRoomsPerDayLimit
	AddressRoomsPerHourLimit
	AddressRoomsPerDayLimit
	UserConnectionsLimit
	RoomRateLimit
	RoomDeliveriesLimit
	ContentLimit
	MetadataLimit
	JoinedRoomsLimit
	ErrorsLimit
	GuestLimit
	NumLimits
)

var limitNames = [...]string{"none", "messages_per_second", "user_messages_per_second", "address_messages_per_second",
	"user_bytes_per_day", "address_bytes_per_day", "user_rooms_per_hour", "user_rooms_per_day", "address_rooms_per_hour", "address_rooms_per_day",
	"connections_per_user", "room_messages_per_second", "room_deliveries_per_second",
	"content", "metadata", "rooms", "errors_per_minute", "guests_per_minute"}

// String returns the name of the limit in a configuration.
func (l Limit) String() string { return limitNames[l] }

// ofUser reports whether the limit is one of a connection or a user alone.
func (l Limit) ofUser() bool {
	switch l {
	case ConnectionRateLimit, UserRateLimit, UserBytesLimit, UserRoomsPerHourLimit, UserRoomsPerDayLimit:
		return true
	}
	return false
}

// HoldsBack reports whether what is over the limit has to wait first, and is refused only if that
// would take too long.
func (l Limit) HoldsBack() bool {
	switch l {
	case ConnectionRateLimit, UserRateLimit, AddressRateLimit, RoomRateLimit, RoomDeliveriesLimit:
		return true
	}
	return false
}
